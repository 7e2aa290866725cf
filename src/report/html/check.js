// What checks a page against the proofs that it carries. It needs no network and changes nothing but
// the list of results. What it cannot check it says.
'use strict';
const checker = (function () {
  const list = document.getElementById('checks');
  const K = [], H0 = [];
  // The constants of SHA-256: the first 32 bits of the fractional parts of roots of primes.
  for (let n = 2; K.length < 64; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
    if (!prime) continue;
    const part = (x) => Math.floor((x - Math.floor(x)) * 4294967296) | 0;
    if (H0.length < 8) H0.push(part(Math.sqrt(n)));
    K.push(part(Math.cbrt(n)));
  }

  function sha256(bytes) {
    const h = H0.slice(), w = new Int32Array(64), length = bytes.length;
    const padded = new Uint8Array((length + 72) >> 6 << 6);
    padded.set(bytes);
    padded[length] = 128;
    const view = new DataView(padded.buffer);
    view.setUint32(padded.length - 8, Math.floor(length / 536870912));
    view.setUint32(padded.length - 4, length << 3);
    const turn = (x, n) => (x >>> n) | (x << (32 - n));
    for (let at = 0; at < padded.length; at += 64) {
      for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + 4 * i);
      for (let i = 16; i < 64; i++) {
        const a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + w[i - 7] +
          (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10));
      }
      let [a, b, c, d, e, f, g, k] = h;
      for (let i = 0; i < 64; i++) {
        const one = (k + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
        const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        k = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
      }
      [a, b, c, d, e, f, g, k].forEach((x, i) => { h[i] = (h[i] + x) | 0; });
    }
    const out = new DataView(new ArrayBuffer(32));
    h.forEach((x, i) => out.setInt32(4 * i, x));
    return new Uint8Array(out.buffer);
  }

  const text = (s) => new TextEncoder().encode(s);
  const join = (...parts) => Uint8Array.from(parts.flatMap((part) => Array.from(part)));
  const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
  const unhex = (s) => Uint8Array.from(s.match(/../g) || [], (pair) => parseInt(pair, 16));
  const unbase64 = (s) => Uint8Array.from(atob(s), (c) => c.charCodeAt(0));
  const node = (left, right) => sha256(join([1], left, right));
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

  // RFC 9162, section 2.1.3.2.
  function included(proof, leaf, index, size, root) {
    let last = size - 1, hash = leaf;
    if (index > last) return false;
    for (const step of proof.map(unhex)) {
      if (last === 0) return false;
      if (index % 2 === 1 || index === last) {
        hash = node(step, hash);
        while (index > 0 && index % 2 === 0) { index /= 2; last = Math.floor(last / 2); }
      } else {
        hash = node(hash, step);
      }
      index = Math.floor(index / 2);
      last = Math.floor(last / 2);
    }
    return last === 0 && hex(hash) === hex(root);
  }

  function say(state, words) {
    const marks = { good: ['✓', 'holds'], bad: ['✕', 'does not hold'], quiet: ['', 'not checked here'] };
    const line = document.createElement('li'), badge = document.createElement('span');
    badge.className = 'badge ' + state;
    badge.textContent = (marks[state][0] + ' ' + marks[state][1]).trim();
    line.append(badge, ' ' + words);
    line.dataset.state = state;
    list.append(line);
  }

  const check = (holds, words) => say(holds ? 'good' : 'bad', words);

  async function signature(key, note) {
    const words = 'the signature under the checkpoint, by the key in this page';
    const [body, lines] = [note.slice(0, note.lastIndexOf('\n\n') + 1), note.slice(note.lastIndexOf('\n\n') + 2)];
    const [origin, id, encoded] = key.split('+', 2).concat(key.split('+').slice(2).join('+'));
    const found = lines.split('\n').map((line) => line.slice(2).split(' '))
      .filter(([name]) => name === origin).map(([, blob]) => unbase64(blob))
      .find((blob) => hex(blob.slice(0, 4)) === id);
    if (!found) { check(false, words); return; }
    try {
      const raw = unbase64(encoded).slice(1);
      const imported = await crypto.subtle.importKey('raw', raw, { name: 'Ed25519' }, false, ['verify']);
      check(await crypto.subtle.verify('Ed25519', imported, found.slice(4), text(body)), words);
    } catch (error) {
      say('quiet', words + ': this browser has no Ed25519. The commands below check it.');
    }
  }

  // The entries that the page carries, once they are shown to stand in the signed ledger.
  async function proven(report) {
    const proofs = report.proofs;
    list.replaceChildren();
    if (!proofs) {
      if (report.header.checkpoint) check(false, 'the checkpoint of this page came without its proofs');
      else say('quiet', 'no checkpoint was signed yet, so that there is nothing to check against');
      return null;
    }
    const [origin, size, root] = proofs.checkpoint.split('\n');
    const entries = proofs.entries.map((it) => JSON.parse(it.entry));
    const good = proofs.entries.filter((it, at) => entries[at].seq === it.seq &&
      included(it.proof, sha256(join([0], text(it.entry))), it.seq, Number(size), unbase64(root)));
    check(good.length === entries.length, good.length + ' of ' + entries.length +
      ' entries lead to the root of the checkpoint over ' + size + ' entries');
    const newest = proofs.keys[proofs.keys.length - 1];
    await signature(newest, proofs.checkpoint);
    const print = hex(sha256(unbase64(newest.split('+').slice(2).join('+')).slice(1)));
    check(print === report.header.key_fingerprint && origin === report.header.origin,
      'the fingerprint of that key is ' + print + '; is it the one that you were given?');
    const shown = report.header.checkpoint;
    check(Boolean(shown) && shown.note === proofs.checkpoint && String(shown.size) === size,
      'the checkpoint that this page shows is the one that signs its proofs');
    return { entries, size: Number(size) };
  }

  // Every figure of the page says where in the data it stands.
  function figures(report, json) {
    const shown = Array.from(document.querySelectorAll('[data-at]'));
    const value = (path) => path.split('/').slice(1).reduce((part, name) => part[name], report);
    const differing = shown.filter((it) => it.textContent.replace(/,/g, '') !== String(value(it.dataset.at)));
    check(differing.length === 0, shown.length + ' figures of this page are those of its data');
    say('quiet', 'whether this report was issued: the SHA-256 of its data is ' + hex(sha256(text(json))) +
      '; an entry `report_issued` of the ledger names it');
  }

  function run(compare) {
    const json = document.getElementById('report').textContent;
    const work = async () => {
      const report = JSON.parse(json), carried = await proven(report);
      if (!carried) return;
      compare(report, carried);
      figures(report, json);
    };
    work().catch(() => say('bad', 'the data of this page cannot be read'))
      .finally(() => { list.dataset.done = 'yes'; });
  }

  return { run, check, say, same };
})();
