// The report of a run: its timeline and its counts are what its entries say.
checker.run((report, { entries, size }) => {
  const { check, same } = checker;
  const ours = entries.filter((entry) => entry.run === report.header.run);
  const bySeq = new Map(ours.map((entry) => [entry.seq, entry]));
  const unsigned = report.timeline.filter((line) => !bySeq.has(line.seq));
  const told = report.timeline.filter((line) => bySeq.has(line.seq)).every((line) => {
    const entry = bySeq.get(line.seq);
    return Object.keys(line).every((name) => same(line[name], entry[name]));
  });
  check(told && unsigned.every((line) => line.seq >= size) && report.timeline.length - unsigned.length === ours.length,
    (report.timeline.length - unsigned.length) + ' lines of the timeline are what these entries say' +
    (unsigned.length ? ', and ' + unsigned.length + ' are younger than the checkpoint' : ''));
  const last = (actions) => report.timeline.filter((line) => actions.includes(line.action)).pop();
  const rewritten = last(['rewritten']), verified = last(['verified', 'mismatch']);
  const counted = !rewritten || (report.counts.cells === rewritten.counts.cells &&
    report.counts.parts.every((part) => part.cells === (rewritten.counts[part.name] || 0)));
  check(counted && (!verified || same(report.verification.counts, verified.counts)),
    'the counts of cells and of the verification are those of the entries');
});
