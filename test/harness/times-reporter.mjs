/** Prints what each file of a suite took, the slowest first. */
export default class TimesReporter {
  onRunComplete(_contexts, { testResults }) {
    const rows = testResults
      .map(({ testFilePath, perfStats, numPassingTests, numFailingTests }) => ({
        seconds: perfStats.runtime / 1_000,
        line: `${testFilePath.split('/').at(-1)}: ${numPassingTests} passed, ${numFailingTests} failed`,
      }))
      .sort((a, b) => b.seconds - a.seconds);
    const total = rows.reduce((sum, { seconds }) => sum + seconds, 0);
    const lines = [...rows, { seconds: total, line: 'all files' }].map(
      ({ seconds, line }) => `${seconds.toFixed(1).padStart(7)} s  ${line}`,
    );
    process.stderr.write(`\n${lines.join('\n')}\n`);
  }
}
