/** Milliseconds to wait before attempt `n` (0, 1, ...): 0.5 s doubling to 10 s, spread by `jitter` in [0, 1). */
export function backoffMs(n: number, jitter: number): number {
  const full = Math.min(10_000, 500 * 2 ** Math.min(n, 10));
  return full * (0.75 + 0.5 * jitter);
}
