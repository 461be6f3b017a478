/* 工作人员页面的小脚本：没有它，表单和链接照样能用。 */
(() => {
  'use strict';
  const $ = (s, r = document) => r.querySelector(s);
  const all = (s, f) => document.querySelectorAll(s).forEach(f);

  all('[data-show]', b => {
    const field = document.getElementById(b.dataset.show);
    b.hidden = false;
    b.addEventListener('click', () => {
      const shown = field.type === 'text';
      field.type = shown ? 'password' : 'text';
      b.textContent = shown ? '显示' : '隐藏';
    });
  });

  /* 倒计时：以服务器时间为准，本机钟只量过了多久 */
  all('[data-until]', el => {
    const start = performance.now(), gap = Date.parse(el.dataset.until) - Date.parse(el.dataset.now);
    const tick = () => {
      const m = Math.ceil((gap - (performance.now() - start)) / 60000);
      el.textContent = m <= 0 ? '已到' : m >= 2880 ? `还有${Math.floor(m / 1440)}天`
        : m >= 60 ? `还有${Math.floor(m / 60)}小时${m % 60}分` : `还有${m}分`;
    };
    tick();
    setInterval(tick, 20000);
  });

  /* 一次点击只交一次 */
  document.addEventListener('submit', e => {
    if (e.target.method === 'get') return;
    if (e.target.dataset.sent) e.preventDefault();
    e.target.dataset.sent = '1';
  });
  addEventListener('pageshow', () => all('form[data-sent]', f => { delete f.dataset.sent; }));

  /* 微信按字节算长短：边写边说还剩多少 */
  all('[data-bytes]', el => {
    const said = el.parentElement.querySelector('[data-left]') || el.insertAdjacentElement('afterend', Object.assign(document.createElement('p'), { className: 'hint' }));
    const count = () => {
      const left = el.dataset.bytes - new TextEncoder().encode(el.value.trim()).length;
      said.textContent = !el.value ? '' : left < 0 ? `多了${-left}字节，请改短。` : `还能写${left}字节。`;
      said.classList.toggle('over', left < 0);
    };
    el.addEventListener('input', count);
    if (el.value) count();
  });

  /* 号码格：填满一格跳到下一格 */
  all('.balls input', (el, n, list) => {
    el.addEventListener('input', () => {
      if (el.value.length >= el.maxLength && list[n + 1]) list[n + 1].focus();
    });
  });

  /* 截图审核：按键 */
  const rv = $('[data-review]');
  if (!rv) return;
  const reasons = $('[data-reasons]'), well = $('.well'), press = key => $(`[data-key="${key}"]`);
  const close = () => { if (reasons) { reasons.open = false; press('r').focus(); } };
  const act = {
    a() { const b = press('a'); if (b && !b.disabled) b.click(); },
    r() { if (reasons) { reasons.open = true; $('input[type=radio]', reasons).focus(); } },
    j() { const l = press('j'); if (l) l.click(); },
    k() { const l = press('k'); if (l) l.click(); },
    c() { const f = $('#sc'); if (f) { f.focus(); f.select(); } },
    ' '() { well.classList.toggle('big'); }
  };
  if (reasons) {
    const cancel = $('[data-close]', reasons);
    cancel.hidden = false;
    cancel.addEventListener('click', close);
  }
  press(' ').addEventListener('click', e => { e.preventDefault(); act[' '](); });
  well.addEventListener('click', e => { if (e.target.tagName === 'IMG') act[' '](); });
  document.addEventListener('keydown', e => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || e.repeat) return;
    const typing = /TEXTAREA|SELECT/.test(e.target.tagName) || (e.target.tagName === 'INPUT' && e.target.type !== 'radio');
    if (e.key === 'Escape') {
      if (reasons && reasons.open) close(); else e.target.blur();
      return;
    }
    if (typing) return;
    if (reasons && reasons.open) {
      const choice = $(`[data-digit="${e.key}"]`, reasons);
      if (choice) { choice.checked = true; choice.focus(); e.preventDefault(); }
      if (e.key === 'Enter' && e.target.type === 'radio') { e.preventDefault(); $('form', reasons).requestSubmit(); }
      return;
    }
    if (e.key === ' ' && e.target.closest('button, a, summary')) return;
    const f = act[e.key.toLowerCase()];
    if (f) { e.preventDefault(); f(); }
  });
})();
