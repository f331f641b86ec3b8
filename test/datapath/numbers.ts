/** Numbers below `bound` that look random and are the same in each run (Lehmer). */
export function numbers(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state * 48271) % 0x7fffffff;
    return state % bound;
  };
}
