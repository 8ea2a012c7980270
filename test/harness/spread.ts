/** The time below or at which this share of them is; NaN for none. */
export function at(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
}

export function spread(times: readonly number[]): string {
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => at(times, share).toFixed(0));
  return `p50 ${p50} ms, p99 ${p99} ms, at most ${max} ms`;
}
