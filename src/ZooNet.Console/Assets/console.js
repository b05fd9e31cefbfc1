// Keeps #live up to date: the page itself is fetched again, and what is in it replaced. Without this script every page still works.
(function () {
  "use strict";
  var live = document.getElementById("live");
  var stale = document.getElementById("stale");
  if (!live || !window.fetch || !window.DOMParser) { return; }
  var heard = Date.now();
  function busy() {
    var at = document.activeElement;
    return at && live.contains(at) || String(getSelection()).length > 0;
  }
  function say() {
    var s = Math.round((Date.now() - heard) / 1000);
    stale.textContent = s > 4 ? "Stale: the console was last heard " + s + " s ago" : "";
  }
  async function turn() {
    try {
      if (!document.hidden) {
        var response = await fetch(location.href, { headers: { "X-Console-Live": "1" }, signal: AbortSignal.timeout(10000) });
        if (response.ok) {
          var next = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("live");
          heard = Date.now();
          live.dataset.heard = new Date(heard).toISOString();
          if (next && !busy() && next.innerHTML !== live.innerHTML) { live.innerHTML = next.innerHTML; }
        }
      }
    } catch (e) { /* said below */ }
    if (!document.hidden) { say(); }
    setTimeout(turn, 1000);
  }
  setTimeout(turn, 1000);
})();
