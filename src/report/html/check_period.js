// The report over a period: its runs, its sums and who asked for what are what its entries say.
checker.run((report, { entries, size }) => {
  const { check, say, same } = checker;
  const { begin, end, since, until, carries } = report.header;
  const sum = (list, of) => list.reduce((all, it) => all + of(it), 0);
  const told = report.runs.every((line) => {
    const ours = entries.filter((entry) => entry.run === line.run && entry.seq < end);
    const last = (actions) => (ours.filter((entry) => actions.includes(entry.action)).pop() || { counts: {} }).counts;
    const rewritten = last(['rewritten']), verified = last(['verified', 'mismatch']);
    return ours.length === line.entries && ours[ours.length - 1].phase_after === line.phase &&
      ours[ours.length - 1].at === line.last_at && ours[0].at === line.planned_at &&
      ['rows', 'cells'].every((name) => line[name] === (rewritten[name] || 0)) &&
      line.parts.every((part) => part.cells === (rewritten[part.name] || 0)) &&
      ['opened', 'mismatches'].every((name) => line[name] === (verified[name] || 0)) &&
      line.restored === (last(['rolled_back']).restored || 0);
  });
  check(told, report.runs.length === 1
    ? '1 run stands, moved and verified what its entries say'
    : report.runs.length + ' runs stand, moved and verified what their entries say');
  const totals = report.totals, part = (line, name) => line.parts.find((it) => it.name === name).cells;
  check(totals.runs === report.runs.length &&
    ['rows', 'cells', 'opened', 'mismatches', 'restored'].every((name) => totals[name] === sum(report.runs, (line) => line[name])) &&
    totals.parts.every((it) => it.cells === sum(report.runs, (line) => part(line, it.name))) &&
    report.states.every((state) => state.runs === report.runs.filter((line) => line.phase === state.phase).length),
    'the totals are the sums of the runs');
  if (carries !== 'every_entry') {
    say('quiet', 'what else happened in the period: it has more entries than this page carries. The commands below check it');
    return;
  }
  // With the entries before and behind it, so that it begins and ends where it says.
  const bare = (at) => at.replace(/Z$/, '');
  const inside = (entry) => (!since || bare(entry.at) >= bare(since)) && (!until || bare(entry.at) < bare(until));
  const bySeq = new Map(entries.map((entry) => [entry.seq, entry]));
  const period = [];
  for (let seq = begin; seq < end; seq++) period.push(bySeq.get(seq));
  const before = begin > 0 ? bySeq.get(begin - 1) : null, behind = end < size ? bySeq.get(end) : null;
  const whole = period.every(Boolean) && before !== undefined && behind !== undefined &&
    !(before && inside(before)) && !(behind && inside(behind)) &&
    (period.length === 0 || (inside(period[0]) && inside(period[period.length - 1])));
  check(whole, period.length + ' entries are all that the ledger has of the period');
  if (!whole) return;
  const ledger = report.ledger;
  check(ledger.entries === period.length && sum(ledger.acts, (act) => act.entries) === period.length &&
    ledger.acts.every((act) => act.entries === period.filter((entry) => entry.action === act.action).length) &&
    (report.header.asked === 'named' || period.every((entry) => !entry.run || report.runs.some((line) => line.run === entry.run))),
    'what was done in the period is what these entries say, and no run is left out');
  const verb = (entry) => entry.action.replace(/_refused$/, '');
  const asked = period.filter((entry) => entry.purpose && ['detokenize', 'tokenize', 'search'].includes(verb(entry)));
  const lines = report.access.concat(report.access_beyond);
  const used = lines.every((line) => {
    const ours = asked.filter((entry) => entry.purpose === line.name), it = line.used;
    const of = (name) => sum(ours, (entry) => entry.counts['domain ' + name] || 0);
    return it.requests === ours.length && it.refused === ours.filter((entry) => entry.action !== verb(entry)).length &&
      Object.keys(it.domains).every((name) => it.domains[name] === of(name)) &&
      Object.keys(it.callers).every((name) => it.callers[name] === ours.filter((entry) => entry.actor === name).length);
  });
  const domain = (name) => sum(asked, (entry) => entry.counts['domain ' + name] || 0);
  check(used && sum(lines, (line) => line.used.requests) === asked.length &&
    report.domains.every((line) => line.asked === domain(line.domain)),
    asked.length + ' requests of the period are those that these entries tell of');
});
