// An independent account of what the two tc programs promise: given the Services, what came before and a packet, what comes out.
// Written from design.md, the RFCs and bpf/lb.h, with tables, parser and arithmetic of its own. It shares no code with the programs.
import { egress } from './egress.ts';
import { ingress } from './ingress.ts';
import { type Hook, type Observed, Passage, type Prediction } from './prediction.ts';
import { type Device, type ModelNode, ModelState } from './state.ts';

export class Model extends ModelState {
  constructor(node: ModelNode, device: Device) {
    super(node, device);
    this.wantsReasons = false;
  }

  wantsReasons: boolean;

  /** What `hook` must make of this frame; the state moves on. */
  predict(hook: Hook, frame: Uint8Array, mark: number, observed: Observed): { prediction: Prediction; passage: Passage } {
    const passage = new Passage(frame, mark, observed, this.wantsReasons);
    const prediction = hook === 'ingress' ? ingress(this, passage) : egress(this, passage);
    return { prediction, passage };
  }
}
