// Arguments, then what they ask for.
import { askEndpoints } from './answer-endpoints.ts';
import type { Backend } from './backend/backend.ts';
import { diagnose } from './backend/ebpf/doctor/doctor.ts';
import { gatherFacts } from './backend/ebpf/doctor/gather.ts';
import { EbpfBackend } from './backend/ebpf/ebpf-backend.ts';
import { explain } from './backend/ebpf/explain/explain.ts';
import { viewFlows } from './backend/ebpf/flow-list.ts';
import { viewDatapath, viewServices } from './backend/ebpf/observe.ts';
import { requireFolder } from './backend/ebpf/pinned-tables.ts';
import { FakeBackend } from './backend/fake/fake-backend.ts';
import { parseArguments } from './cli/arguments.ts';
import { formatDoctor } from './cli/doctor-report.ts';
import { formatExplain } from './cli/explain-text.ts';
import { formatFlowsView } from './cli/flows-table.ts';
import { formatServices } from './cli/services-table.ts';
import { formatStatus } from './cli/status-table.ts';
import { formatVerify, type VerifyReport, verifyProblems } from './cli/verify-table.ts';
import type { Config } from './config/config.ts';
import { EXIT_ERROR, exitCodeOf, formatError, TurnoutError } from './errors.ts';
import { askInstance, runningInstance } from './instance.ts';
import { createLogger } from './log.ts';
import { type ProxyOptions, runProxy } from './proxy.ts';
import { VERSION } from './version.ts';
import { watchMonitor } from './watch-monitor.ts';
import { watchTop } from './watch-top.ts';

const STATUS_MS = 2000;
/** Hundreds of thousands of rows take seconds. */
const VERIFY_MS = 120_000;

async function main(): Promise<void> {
  const command = parseArguments(process.argv.slice(2), { version: VERSION });
  if (command.kind === 'print') {
    return print(command.text);
  }
  const { config } = command;
  const logger = createLogger(config.logging);
  for (const warning of command.warnings) logger.warn(warning);
  switch (command.kind) {
    case 'run': {
      await runProxy(
        { config, logger, version: VERSION, makeBackend: (facts) => makeBackend(config, logger, facts) },
        stopSignal(),
      );
      return;
    }
    case 'status': {
      const [instance, view] = [await runningInstance(), viewDatapath(config.ebpf.bpffsRoot)];
      const process = instance && { pid: instance.pid, startedAt: instance.startedAt };
      const verification = await askInstance<VerifyReport>({ ask: 'verification' }, STATUS_MS).catch(() => null);
      const report = { version: VERSION, proxyMode: instance?.proxyMode ?? config.proxyMode, process, ...view, verification };
      return print(formatStatus(report, command.output));
    }
    case 'services': {
      requireFolder(config.ebpf.bpffsRoot);
      const rows = viewServices(config.ebpf.bpffsRoot);
      const shown = command.namespace === '' ? rows : rows.filter(({ namespace }) => namespace === command.namespace);
      return print(formatServices(shown, { output: command.output, allEndpoints: command.allEndpoints }));
    }
    case 'flows': {
      const { flows, socketsOpen } = viewFlows(config.ebpf.bpffsRoot, command.options.filter);
      return print(formatFlowsView(flows, socketsOpen, command.options));
    }
    case 'monitor':
      return watchMonitor(config.ebpf.bpffsRoot, command.options, stopSignal());
    case 'top':
      return watchTop(config.ebpf.bpffsRoot, command.options, stopSignal());
    case 'verify': {
      const report = await askInstance<VerifyReport>({ ask: 'verify' }, VERIFY_MS);
      if (report === null) {
        const hint = 'start it; without a process nobody knows what should be there, and `turnout status` shows what is';
        throw new TurnoutError('ENOINSTANCE', 'no turnout runs on this node', { hint });
      }
      await print(formatVerify(report, command.output));
      if (verifyProblems(report).length > 0) process.exitCode = EXIT_ERROR;
      return;
    }
    case 'explain':
      return print(formatExplain(await explain(command.question, config.ebpf.bpffsRoot, askEndpoints), command.output));
    case 'doctor': {
      const facts = await gatherFacts({ config, process: await runningInstance(), ownVersion: VERSION, betweenLooksMs: 1000 });
      const findings = diagnose(facts, command.service);
      await print(formatDoctor(findings, command.output));
      if (findings.some(({ severity }) => severity === 'problem')) process.exitCode = EXIT_ERROR;
      return;
    }
    case 'cleanup': {
      const running = await runningInstance();
      if (running) {
        throw new TurnoutError('EINSTANCE', `turnout (pid ${running.pid}) still runs and would put everything back`, {
          hint: `stop it first: kill ${running.pid}`,
        });
      }
      await new EbpfBackend(config, logger, () => ({ nodeIPs: [], podCIDRs: [] })).cleanup();
      return print('Removed: programs, tables, links and FORWARD rules of turnout.\n');
    }
  }
}

function makeBackend(config: Config, logger: ReturnType<typeof createLogger>, facts: ProxyOptions['facts']): Backend {
  return config.proxyMode === 'fake' ? new FakeBackend() : new EbpfBackend(config, logger, facts);
}

/** Aborted when the process is told to end. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
  return stop.signal;
}

/** Resolves when whoever reads has taken all of it: process.exit() drops what waits in a pipe. A reader that leaves is no failure. */
const print = (text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    process.stdout.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EPIPE' ? resolve() : reject(error)));
    process.stdout.write(text, (error) => error || resolve());
  });

main().then(
  () => process.exit(),
  (error: unknown) => {
    console.error(formatError(error));
    process.exit(exitCodeOf(error));
  },
);
