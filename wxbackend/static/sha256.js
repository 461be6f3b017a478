/* SHA-256 and the nodes of a Merkle tree (RFC 9162), for the pages that check something on the visitor's own phone. ES2015.
   Runs in Node, too; in a page it is `window.sha256`. */
(function (root, make) {
  'use strict';
  if (typeof module !== 'undefined' && module.exports) { module.exports = make(); } else { root.sha256 = make(); }
})(this, function () {
  'use strict';
  var K = new Int32Array(64), H0 = new Int32Array(8), W = new Int32Array(64);
  (function () {                       /* the constants of SHA-256: fractions of roots of the first primes */
    function frac(x) { return ((x - Math.floor(x)) * 4294967296) | 0; }
    for (var n = 2, found = 0; found < 64; n += 1) {
      var prime = true;
      for (var f = 2; f * f <= n; f += 1) { if (n % f === 0) { prime = false; break; } }
      if (prime) { if (found < 8) { H0[found] = frac(Math.sqrt(n)); } K[found] = frac(Math.cbrt(n)); found += 1; }
    }
  })();
  function rot(x, r) { return (x >>> r) | (x << (32 - r)); }
  function block(state, view, at) {
    var i, a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
    for (i = 0; i < 16; i += 1) { W[i] = view.getInt32(at + i * 4); }
    for (i = 16; i < 64; i += 1) {
      var p = W[i - 15], q = W[i - 2];
      W[i] = W[i - 16] + (rot(p, 7) ^ rot(p, 18) ^ (p >>> 3)) + W[i - 7] + (rot(q, 17) ^ rot(q, 19) ^ (q >>> 10));
    }
    for (i = 0; i < 64; i += 1) {
      var s = (h + (rot(e, 6) ^ rot(e, 11) ^ rot(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
      var t = ((rot(a, 2) ^ rot(a, 13) ^ rot(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + s) | 0; d = c; c = b; b = a; a = (s + t) | 0;
    }
    state[0] += a; state[1] += b; state[2] += c; state[3] += d; state[4] += e; state[5] += f; state[6] += g; state[7] += h;
  }
  function sha256(bytes) {
    var n = bytes.length, size = ((n + 8) >> 6) * 64 + 64, m = new Uint8Array(size), view = new DataView(m.buffer), state = H0.slice();
    m.set(bytes); m[n] = 128;
    view.setUint32(size - 8, Math.floor(n / 536870912)); view.setUint32(size - 4, n << 3);
    for (var at = 0; at < size; at += 64) { block(state, view, at); }
    var out = new DataView(new ArrayBuffer(32));
    state.forEach(function (word, i) { out.setInt32(i * 4, word); });
    return new Uint8Array(out.buffer);
  }
  function utf8(text) {                /* throws URIError for half a character */
    var s = unescape(encodeURIComponent(text)), out = new Uint8Array(s.length);
    for (var i = 0; i < s.length; i += 1) { out[i] = s.charCodeAt(i); }
    return out;
  }
  function hex(bytes) { return Array.prototype.map.call(bytes, function (x) { return (x + 256).toString(16).slice(1); }).join(''); }
  function digest(text) { return hex(sha256(utf8(text))); }
  function node(tag, left, right) {
    var out = new Uint8Array(1 + left.length + right.length);
    out[0] = tag; out.set(left, 1); out.set(right, 1 + left.length);
    return sha256(out);
  }
  return { sha256: sha256, utf8: utf8, hex: hex, digest: digest, node: node };
});
