/* Recomputes a draw (protocol wxdraw/1) from its transcript on the visitor's own phone, and looks one ticket up.
   A second writing of the protocol, independent of the server's. ES2015. The first half knows no page and runs in Node, too.
   Stands behind sha256.js. */
(function (root, make) {
  'use strict';
  if (typeof module !== 'undefined' && module.exports) { module.exports = make(require('./sha256.js')).api; } else { make(root.sha256).page(root.document); }
})(this, function (hash) {
  'use strict';
  var CHUNK = 200;                     /* tickets hashed between two looks at the clock */
  var sha256 = hash.sha256, utf8 = hash.utf8, hex = hash.hex, digest = hash.digest, node = hash.node;
  function leaf(line) { return node(0, utf8(line), new Uint8Array(0)); }

  /* ---- refusing: the first thing that differs, and where ---- */
  function Differs(path, said, found) { this.path = path; this.said = said; this.found = found; }
  function same(path, said, found) { if (said !== found) { throw new Differs(path, said, found); } }
  function isObject(v) { return typeof v === 'object' && v !== null && !Array.isArray(v); }
  function has(o, key) { return Object.prototype.hasOwnProperty.call(o, key); }
  function member(o, key, ok, path) { if (!has(o, key) || !ok(o[key])) { throw new Differs(path, o[key], ''); } return o[key]; }
  function text(o, key, form, path) { return member(o, key, function (v) { return typeof v === 'string' && form.test(v); }, path); }
  function count(o, key, path) { return member(o, key, function (v) { return typeof v === 'number' && v >= 0 && v <= 1e6 && v % 1 === 0; }, path); }

  function canonical(v, room) {        /* RFC 8785 for objects, lists, texts and whole numbers; by UTF-16 units, as sort() does */
    if (room === 0) { throw new Differs('rules', '', ''); }
    if (typeof v === 'string') { encodeURIComponent(v); return JSON.stringify(v); }
    if (typeof v === 'number' && v % 1 === 0 && Math.abs(v) <= 9007199254740991) { return String(v); }
    if (Array.isArray(v)) { return '[' + v.map(function (x) { return canonical(x, room - 1); }).join(',') + ']'; }
    if (!isObject(v)) { throw new Differs('rules', v, ''); }
    return '{' + Object.keys(v).sort().map(function (k) { return canonical(k, room - 1) + ':' + canonical(v[k], room - 1); }).join(',') + '}';
  }
  function checkRules(R) {
    same('rules.protocol', R.protocol, 'wxdraw/1');
    var said = text(R, 'campaign', /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}@[0-9a-f]{64}$/, 'rules.campaign'), rest = Object.create(null), bytes;
    Object.keys(R).forEach(function (k) { if (k !== 'campaign') { rest[k] = R[k]; } });
    try { bytes = canonical(rest, 20); } catch (e) { throw new Differs('rules', '', ''); }
    same('rules.campaign', said, said.split('@')[0] + '@' + digest(bytes));
    text(R, 'commitment', /^[0-9a-f]{64}$/, 'rules.commitment');
    text(R, 'boxes_sha256', /^([0-9a-f]{64})?$/, 'rules.boxes_sha256');
    count(R, 'alternates', 'rules.alternates');
    var total = member(R, 'tiers', Array.isArray, 'rules.tiers').reduce(function (sum, tier, i) {
      var path = 'rules.tiers[' + i + ']';
      if (!isObject(tier)) { throw new Differs(path, tier, ''); }
      text(tier, 'id', /^[^\n]{1,100}$/, path + '.id');
      return sum + count(tier, 'count', path + '.count');
    }, 0);
    if (total > 1e6) { throw new Differs('rules.tiers', total, ''); }
  }

  /* ---- public chance: [has an issue, then for each group: how many, lowest, highest, digits, ordered] ---- */
  var SOURCES = {
    ssq: [true, [6, 1, 33, 2, false], [1, 1, 16, 2, false]], dlt: [true, [5, 1, 35, 2, false], [2, 1, 12, 2, false]],
    kl8: [true, [20, 1, 80, 2, false]], pl5: [true, [5, 0, 9, 1, true]],
    stage: [false, [6, 0, 9, 1, true]], sealed: [false, [5, 0, 999999, 6, true]]
  };
  function isGroup(numbers, rule, most) {
    return numbers.length >= rule[0] && numbers.length <= most && numbers.every(function (n, i) {
      return n.length === rule[3] && /^[0-9]+$/.test(n) && +n >= rule[1] && +n <= rule[2] && (rule[4] || i === 0 || numbers[i - 1] < n);
    });
  }
  function readPart(part) {            /* {source, issue}, or null unless it is canonical to the letter */
    var m = /^([a-z0-9]+)(?::([0-9]{5,7}))?=((?:[0-9.]+\.\/)+)$/.exec(part), kind = m && has(SOURCES, m[1]) ? SOURCES[m[1]] : null;
    if (!kind || kind[0] !== (m[2] !== undefined)) { return null; }
    var groups = m[3].slice(0, -2).split('./');
    var ok = groups.length === kind.length - 1 && groups.every(function (g, i) {
      return isGroup(g.split('.'), kind[i + 1], m[1] === 'sealed' ? 100 : kind[i + 1][0]);
    });
    return ok ? { source: m[1], issue: m[2] || '' } : null;
  }
  function checkEntropy(T) {
    var wanted = member(T.rules, 'entropy', Array.isArray, 'rules.entropy');
    var parts = text(T, 'entropy', /^[\x21-\x7e]{1,10000}$/, 'entropy').split(';').map(readPart);
    if (parts.indexOf(null) >= 0) { throw new Differs('entropy', T.entropy, ''); }
    wanted.forEach(function (named, i) {
      if (!isObject(named) || typeof named.source !== 'string' || (has(named, 'issue') && typeof named.issue !== 'string')) {
        throw new Differs('rules.entropy[' + i + ']', named, '');
      }
      var said = parts[i] || {};
      same('entropy[' + i + '].source', said.source, named.source);
      same('entropy[' + i + '].issue', said.issue, named.issue || '');
    });
    same('entropy', parts.length, wanted.length);
  }

  /* ---- the list and the order; generators, so that a page can breathe between chunks ---- */
  function checkEntrants(lines) {
    var tickets = new Set(), previous = '';
    lines.forEach(function (line, i) {
      var bad = typeof line !== 'string' || !/^[0-9a-f]{16} [0-9a-f]{16}$/.test(line) || line <= previous || tickets.has(line.slice(0, 16));
      if (bad) { throw new Differs('entrants[' + i + ']', line, ''); }
      tickets.add(line.slice(0, 16)); previous = line;
    });
  }
  function* treeOf(lines) {            /* RFC 9162, level by level, the odd node promoted */
    var level = [], above, i;
    for (i = 0; i < lines.length; i += 1) { level.push(leaf(lines[i])); if (i % CHUNK === 0) { yield ''; } }
    while (level.length > 1) {
      above = [];
      for (i = 0; i + 1 < level.length; i += 2) { above.push(node(1, level[i], level[i + 1])); if (i % (CHUNK * 2) === 0) { yield ''; } }
      if (level.length % 2) { above.push(level[level.length - 1]); }
      level = above;
    }
    return hex(level.length ? level[0] : sha256(new Uint8Array(0)));
  }
  function byDigest(a, b) { return a.d < b.d ? -1 : a.d > b.d ? 1 : a.t < b.t ? -1 : a.t > b.t ? 1 : 0; }
  function* queueOf(seed, lines) {     /* every ticket in order; `lead` is the first one of its person */
    var queue = [], leads = new Map(), i;
    for (i = 0; i < lines.length; i += 1) {
      queue.push({ t: lines[i].slice(0, 16), p: lines[i].slice(17), d: digest(seed + ':' + lines[i].slice(0, 16)) });
      if (i % CHUNK === 0) { yield ''; }
    }
    queue.sort(byDigest).forEach(function (one) {
      if (!leads.has(one.p)) { leads.set(one.p, one); one.rank = leads.size; }
      one.lead = leads.get(one.p);
    });
    return queue;
  }
  function boxOrder(seed, boxes) {
    var all = [];
    for (var n = 1; n <= boxes; n += 1) { var name = (n < 10 ? '0' : '') + n; all.push({ t: name, d: digest(seed + ':box:' + name) }); }
    return all.sort(byDigest).map(function (box) { return box.t; });
  }
  function checkRow(path, said, found) {
    if (!isObject(said)) { throw new Differs(path, said, found); }
    Object.keys(found).forEach(function (key) { same(path + '.' + key, has(said, key) ? said[key] : undefined, found[key]); });
    Object.keys(said).sort().forEach(function (key) {
      if (!has(found, key) && !(key === 'box' && has(found, 'tier'))) { throw new Differs(path + '.' + key, said[key], ''); }
    });
  }
  function checkRows(R, name, found) {
    var rows = member(R, name, Array.isArray, 'result.' + name), path = 'result.' + name + '[';
    found.forEach(function (row, i) { checkRow(path + i + ']', rows[i], row); });
    if (rows.length > found.length) { throw new Differs(path + found.length + ']', rows[found.length], ''); }
  }

  /* Yields the name of each step passed ('' = still working), returns the queue; throws the first Differs. */
  function* check(T) {
    if (!isObject(T)) { throw new Differs('transcript', T, ''); }
    var R = member(T, 'rules', isObject, 'rules');
    checkRules(R);
    yield 'rules';
    var secret = text(T, 'secret', /^(?:[0-9a-f]{2})*$/, 'secret');
    if (digest('secret:' + secret) !== R.commitment) { throw new Differs('secret', secret, R.commitment); }
    yield 'secret';
    checkEntropy(T);
    yield 'entropy';
    var lines = member(T, 'entrants', Array.isArray, 'entrants');
    checkEntrants(lines);
    yield 'entrants';
    var said = member(T, 'result', isObject, 'result'), tree = yield* treeOf(lines);
    same('result.root', said.root, tree);
    same('result.list_sha256', said.list_sha256, digest(lines.map(function (line) { return line + '\n'; }).join('')));
    same('result.tickets', said.tickets, lines.length);
    same('result.persons', said.persons, new Set(lines.map(function (line) { return line.slice(17); })).size);
    yield 'root';
    var seed = digest('wxdraw/1\n' + R.campaign + '\n' + tree + '\n' + secret + '\n' + T.entropy + '\n');
    same('result.seed', said.seed, seed);
    yield 'seed';
    var queue = yield* queueOf(seed, lines), places = queue.filter(function (one) { return one.rank; }), tiers = [];
    yield 'order';
    R.tiers.forEach(function (tier) { for (var n = 0; n < tier.count; n += 1) { tiers.push(tier.id); } });
    var row = function (one) { return { rank: one.rank, digest: one.d, ticket: one.t, person: one.p }; };
    var winners = places.slice(0, tiers.length).map(function (one, i) { var w = row(one); w.tier = tiers[i]; return w; });
    checkRows(said, 'winners', winners);
    yield 'winners';
    checkRows(said, 'alternates', places.slice(tiers.length, tiers.length + R.alternates).map(row));
    yield 'alternates';
    var boxes = boxOrder(seed, tiers.length);
    winners.forEach(function (_, i) { same('result.winners[' + i + '].box', said.winners[i].box, boxes[i]); });
    yield 'boxes';
    return { queue: queue, winners: winners.length, alternates: said.alternates.length };
  }
  function verify(T) {                 /* all at once, for Node: null, or the path of what differs */
    try { for (var steps = check(T); !steps.next().done;) { /* nothing to show */ } return null; } catch (e) {
      if (e instanceof Differs) { return e.path; }
      throw e;
    }
  }
  function tell(known, ticket) {       /* what a person hears about her ticket */
    var one = known.queue.filter(function (x) { return x.t === ticket; })[0], n = known.winners;
    if (!one) { return '名单里没有这个签号。如果“我的”里有它，请打监督电话。'; }
    var at = one.lead.rank, how = at <= n ? '中奖了。' : '前' + n + '位中奖，这次差' + (at - n) + '位' +
      (at - n <= known.alternates ? '，是候补第' + (at - n) + '位。' : '。');
    if (one.rank) { return '这个签号排在第' + at + '位，' + how; }
    return '您还有一个签号排得更靠前，按那一个算：排在第' + at + '位，' + how;
  }

  /* ---- the page ---- */
  function plain(el) { return el.textContent.replace(/\s/g, '').toLowerCase(); }
  function checkShown(document, T) {   /* what stands above on this page is what the transcript says */
    var R = T.result, shown = function (mark) { return Array.prototype.map.call(document.querySelectorAll('[' + mark + ']'), plain).join(' '); };
    var ids = function (rows, key) { return rows.map(function (row) { return row[key]; }).join(' '); };
    same('page.root', shown('data-root'), R.root);
    same('page.winners', shown('data-winner'), ids(R.winners, 'ticket'));
    same('page.alternates', shown('data-alternate'), ids(R.alternates, 'ticket'));
    if (document.querySelector('[data-box]')) { same('page.boxes', shown('data-box'), ids(R.winners, 'box')); }
  }
  function run(steps, passed, done, failed) {   /* works 12 ms at a time, so that an old phone stays awake */
    (function turn() {
      var until = Date.now() + 12, step;
      try {
        do {
          step = steps.next();
          if (step.value && !step.done) { passed(step.value); }
        } while (!step.done && Date.now() < until);
      } catch (e) { failed(e); return; }
      if (step.done) { done(step.value); } else { setTimeout(turn, 0); }
    })();
  }
  function fetchJson(url, done, failed) {
    var call = new XMLHttpRequest();
    call.onload = function () {
      var T;
      try { if (call.status !== 200) { throw new Error(); } T = JSON.parse(call.responseText); } catch (e) { failed(); return; }
      done(T);
    };
    call.onerror = call.ontimeout = failed;
    call.open('GET', url); call.timeout = 60000; call.send();
  }
  function page(document) {
    var box = document.querySelector('[data-verify]'), form = document.getElementById('lost'), known = null, transcript = null;
    if (!box) { return; }
    var say = document.getElementById('v-say'), bar = box.querySelector('progress'), go = document.getElementById('v-go');
    var OF = { rules: 1, secret: 1, entropy: 3, entrants: 2, root: 2, seed: 3, order: 4, winners: 5, alternates: 5, boxes: 5, page: 5 };
    var LAST = { secret: 1, root: 2, seed: 3, order: 4, page: 5 }, NAMES = Object.keys(OF);
    function mark(li, ok) {
      li = document.getElementById('v' + li); li.className = ok ? 'ok' : 'no';
      li.querySelector('[data-said]').textContent = ok ? '，对上了' : '，没对上';
    }
    function load(done, failed) { if (transcript) { done(transcript); } else { fetchJson(box.getAttribute('data-transcript'), done, failed); } }
    function work(T, passed, done, failed) {
      run(check(T), passed, function (result) {
        try { checkShown(document, T); } catch (e) { failed(e); return; }
        transcript = T; known = result; passed('page'); done();
      }, failed);
    }
    function away() { say.textContent = '记录没取到，请看看网络，再点一次。'; ready(); }
    function ready() { if (go) { go.disabled = false; go.removeAttribute('aria-busy'); } }
    if (go) {
      go.hidden = false;
      go.addEventListener('click', function () {
        var at = 0;
        go.disabled = true; go.setAttribute('aria-busy', 'true'); say.className = 'small'; say.textContent = '正在算…'; bar.value = 0;
        for (var n = 1; n < 6; n += 1) { var li = document.getElementById('v' + n); li.className = ''; li.querySelector('[data-said]').textContent = ''; }
        load(function (T) {
          work(T, function (name) { at = NAMES.indexOf(name) + 1; bar.value = at * 100 / NAMES.length; if (LAST[name]) { mark(LAST[name], true); } },
            function () { say.textContent = '五步全都对上了，您算的和公示的一样。'; say.className = 'good'; go.textContent = '再验一遍'; ready(); },
            function (e) {
              var step = OF[NAMES[Math.min(at, NAMES.length - 1)]];
              mark(step, false); say.className = 'bad'; ready();
              say.textContent = '第' + step + '步没对上。请截图发到公众号聊天里，或打监督电话。';
              say.setAttribute('data-differs', e instanceof Differs ? e.path : String(e));   /* for whoever looks closer */
            });
        }, away);
      });
    }
    if (form) {
      form.addEventListener('submit', function (ev) {
        ev.preventDefault();
        var out = document.getElementById('tk-say'), t = document.getElementById('tk').value.replace(/\s/g, '').toLowerCase();
        if (!/^[0-9a-f]{16}$/.test(t)) { out.textContent = '签号是16位，请对着“我的”再看一眼。'; return; }
        function answer() { out.textContent = tell(known, t); }
        if (known) { answer(); return; }
        out.textContent = '正在找…';
        load(function (T) {
          if (T.state === 'frozen') {
            var line = T.entrants.findIndex(function (one) { return one.slice(0, 16) === t; });
            out.textContent = line < 0 ? '名单里没有这个签号。如果“我的”里有它，请打监督电话。' : '在名单里，第' + (line + 1) + '行。开奖以后再来看排在第几位。';
            return;
          }
          work(T, function () {}, answer, function () { out.textContent = '这份记录没对上，请先点上面的“开始验”，看看是哪一步。'; });
        }, function () { out.textContent = '记录没取到，请看看网络，再点一次。'; });
      });
    }
  }
  return { api: { verify: verify, check: check, tell: tell, canonical: canonical, digest: digest, Differs: Differs }, page: page };
});
