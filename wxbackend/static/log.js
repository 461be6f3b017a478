/* Checks on the voter's own phone that her line stands in the ballot log (RFC 9162), and says so where the page said where it is.
   ES2015. The first half knows no page and runs in Node, too. Stands behind sha256.js. */
(function (root, make) {
  'use strict';
  if (typeof module !== 'undefined' && module.exports) { module.exports = make(require('./sha256.js')).api; } else { make(root.sha256).page(root.document); }
})(this, function (hash) {
  'use strict';
  var HASH = /^[0-9a-f]{64}$/;
  function bytes(hex) {
    var out = new Uint8Array(hex.length / 2);
    for (var i = 0; i < out.length; i += 1) { out[i] = parseInt(hex.substr(i * 2, 2), 16); }
    return out;
  }
  function join(a, b) {
    var out = new Uint8Array(a.length + b.length);
    out.set(a); out.set(b, a.length);
    return out;
  }
  function rootOf(leaf, index, size, proof) {   /* null for a proof that is too long or too short */
    var here = index, last = size - 1, running = leaf;
    if (!(index >= 0 && index < size)) { return null; }
    for (var i = 0; i < proof.length; i += 1) {
      if (last === 0 || !HASH.test(proof[i])) { return null; }
      if (here % 2 || here === last) {
        running = hash.node(1, bytes(proof[i]), running);
        while (here % 2 === 0 && here) { here = here / 2; last = Math.floor(last / 2); }
      } else { running = hash.node(1, running, bytes(proof[i])); }
      here = Math.floor(here / 2); last = Math.floor(last / 2);
    }
    return last === 0 ? hash.hex(running) : null;
  }
  /* `own` is {receipt, opening, seq, mark}, `answer` the API's proof: the name of the first thing that does not fit, or null. */
  function differs(own, answer) {
    var said, head = answer.head, fields = String(answer.data).split('|');
    var known = hash.hex(hash.sha256(join(bytes(own.opening), hash.utf8(own.receipt))));
    if (fields[0] !== 'vote/1' || fields[3] !== known || answer.seq !== own.seq) { return 'line'; }
    try { said = JSON.parse(head.body); } catch (e) { return 'head'; }
    if (hash.digest(head.body) !== head.sha256 || said.campaign !== fields[1]) { return 'head'; }
    if (own.mark && head.sha256.slice(0, 8) !== own.mark && !(said.number > own.number)) { return 'mark'; }
    var leaf = hash.node(0, hash.utf8(answer.data), new Uint8Array(0));
    return rootOf(leaf, answer.seq - 1, said.size, answer.proof) === said.root ? null : 'root';
  }
  function fetchJson(url, done, failed) {
    var call = new XMLHttpRequest();
    call.onload = function () {
      var answer;
      try { if (call.status !== 200) { throw new Error(); } answer = JSON.parse(call.responseText); } catch (e) { failed(); return; }
      done(answer);
    };
    call.onerror = call.ontimeout = failed;
    call.open('GET', url); call.timeout = 30000; call.send();
  }
  function check(row) {
    var say = row.querySelector('[data-said]'), get = function (name) { return row.getAttribute('data-' + name); };
    var own = { receipt: get('receipt'), opening: get('opening'), seq: +get('seq'), mark: get('mark'), number: +get('number') };
    say.textContent = '正在核验…';
    fetchJson(get('proof'), function (answer) {
      var fault;
      try { fault = differs(own, answer); } catch (e) { fault = String(e); }
      say.className = fault ? 'bad' : 'good';
      say.textContent = fault ? '没对上。请截图发到公众号聊天里，或打监督电话。' : '已核验 ✓ 您的手机自己算过，这一行在账本里。';
      if (fault) { say.setAttribute('data-differs', fault); }
    }, function () { say.textContent = '没取到，请看看网络，再打开一次。'; });
  }
  function page(document) {
    Array.prototype.forEach.call(document.querySelectorAll('[data-proof]'), function (row) {
      var fold = row.parentNode;
      while (fold && fold.nodeName !== 'DETAILS') { fold = fold.parentNode; }
      if (!fold || fold.open) { check(row); return; }
      fold.addEventListener('toggle', function () { if (fold.open) { check(row); } });   /* asked for only when looked at */
    });
  }
  return { api: { differs: differs, rootOf: rootOf }, page: page };
});
