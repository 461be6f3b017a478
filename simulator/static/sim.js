/* Comforts only: every page works without this file. */
(function () {
  'use strict';
  var body = document.body, pause = 1500;
  function one(selector) { return document.querySelector(selector); }

  Array.prototype.forEach.call(document.querySelectorAll('[data-plain]'), function (el) { el.hidden = true; });

  /* Choosing a person or a picture is enough, no second tap. */
  document.addEventListener('change', function (ev) {
    var el = ev.target;
    if (el.name === 'who' || (el.name === 'image' && el.files.length)) { busy(el.form); el.form.submit(); }
  });

  /* One tap, one message. */
  function busy(form) {
    Array.prototype.forEach.call(form.querySelectorAll('.send'), function (b) { b.setAttribute('aria-busy', 'true'); });
  }
  document.addEventListener('submit', function (ev) {
    if (ev.target.hasAttribute('data-sent')) { ev.preventDefault(); return; }
    ev.target.setAttribute('data-sent', ''); busy(ev.target);
  });
  window.addEventListener('pageshow', function () {
    Array.prototype.forEach.call(document.querySelectorAll('[data-sent]'), function (f) { f.removeAttribute('data-sent'); });
  });

  /* New messages appear by themselves; what is being typed stays. */
  function swap(page, selector) {
    var now = one(selector), next = page.querySelector(selector);
    if (now && next) { now.replaceWith(next); }
  }
  function renew(version) {
    return fetch(location.pathname).then(function (r) { return r.text(); }).then(function (text) {
      var page = new DOMParser().parseFromString(text, 'text/html');
      swap(page, '.scroll'); swap(page, '.menu'); swap(page, '[data-said]');
      if (!one('[data-album] details[open]')) { swap(page, '[data-album]'); }
      body.setAttribute('data-version', version);
    });
  }
  function look() {
    var next = function () { setTimeout(look, pause); };
    if (document.hidden) { next(); return; }
    fetch('/version').then(function (r) { return r.text(); }).then(function (version) {
      var said = one('[data-said]'), known = body.getAttribute('data-version');
      if (version.split('|')[0] !== known.split('|')[0]) { return renew(version); }
      said.textContent = version.split('|')[1];
    }).then(next, next);
  }
  if (one('.chat')) { setTimeout(look, pause); }
})();
