/* Comforts only: every page works without this file. ES2015, for old WebViews. */
(function () {
  'use strict';
  var root = document.documentElement;
  function each(selector, fn) { Array.prototype.forEach.call(document.querySelectorAll(selector), fn); }

  /* The elder switch without a reload; the cookie is what the server reads next time. */
  each('[data-elder-switch]', function (a) {
    a.addEventListener('click', function (ev) {
      var on = !root.hasAttribute('data-elder');
      ev.preventDefault();
      if (on) { root.setAttribute('data-elder', ''); } else { root.removeAttribute('data-elder'); }
      document.cookie = 'elder=' + (on ? 1 : 0) + '; path=/; max-age=31536000; samesite=lax';
    });
  });

  /* Countdown by the server's clock, not the phone's. */
  each('[data-until]', function (el) {
    var end = Date.parse(el.getAttribute('data-until')), skew = Date.parse(el.getAttribute('data-now')) - Date.now();
    var b = el.querySelectorAll('b');
    function show() {
      var m = Math.max(0, Math.ceil((end - Date.now() - skew) / 60000));
      b[0].textContent = Math.floor(m / 1440); b[1].textContent = Math.floor(m / 60) % 24; b[2].textContent = m % 60;
    }
    show(); setInterval(show, 10000);
  });

  /* A fresh captcha in place; without script the two buttons submit the form instead. */
  each('[data-captcha]', function (box) {
    var form = box.closest('form'), img = box.querySelector('img'), answer = box.querySelector('[name=captcha_answer]');
    var asking = false, born = Date.now();
    function said(text) {
      var p = box.querySelector('.err') || box.appendChild(document.createElement('p'));
      p.className = 'err'; p.setAttribute('role', 'alert'); p.textContent = text; p.hidden = !text;
    }
    function swap(family, after) {
      if (asking) { return; }
      asking = true;
      fetch(box.getAttribute('data-captcha'), {
        method: 'POST', credentials: 'same-origin', body: JSON.stringify({ family: family }),
        headers: { 'Content-Type': 'application/json', 'X-CSRFToken': form.elements.csrf_token.value }
      }).then(function (r) {
        return r.json().then(function (c) { if (!r.ok) { throw { said: c.title }; } return c; });
      }).then(function (c) {
        form.elements.captcha_id.value = c.captcha_id; form.elements.family.value = family;
        img.src = c.image; img.alt = box.getAttribute('data-alt-' + family);
        box.querySelector('label').textContent = c.prompt;
        answer.value = ''; born = Date.now(); said(''); box.classList.remove('wrong'); answer.removeAttribute('aria-invalid');
      }).catch(function (e) {
        said(e.said || '信号不太好，等连上了再点一次。');
      }).then(function () { asking = false; if (after) { after(); } });
    }
    each('.swap button', function (button) {
      button.addEventListener('click', function (ev) {
        var now = form.elements.family.value;
        ev.preventDefault(); button.setAttribute('aria-busy', 'true');
        swap(button.name === 'again' ? now : (now === 'colour' ? 'arithmetic' : 'colour'), function () { button.removeAttribute('aria-busy'); answer.focus(); });
      });
    });
    /* It lives ten minutes: one that grew old unseen is renewed as the form comes into view. */
    setInterval(function () {
      var seen = !document.hidden && form.getBoundingClientRect().top < window.innerHeight;
      if (seen && !answer.value && Date.now() - born > 540000) { swap(form.elements.family.value); }
    }, 5000);
  });

  /* One tap, one submission; a page taken back from the cache can be sent again. */
  each('form[data-once]', function (form) {
    var b = form.querySelector('.btn'), words = b.textContent, sent = false;
    form.addEventListener('submit', function (ev) {
      if (sent) { ev.preventDefault(); return; }
      sent = true; b.setAttribute('aria-busy', 'true'); b.textContent = b.getAttribute('data-busy') || words;
    });
    window.addEventListener('pageshow', function () { sent = false; b.removeAttribute('aria-busy'); b.textContent = words; });
  });
})();
