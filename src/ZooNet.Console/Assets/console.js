// Keeps #live up to date: the page itself is fetched again, and what is in it replaced. Without this script every page still works.
(function () {
  "use strict";
  var live = document.getElementById("live");
  var stale = document.getElementById("stale");
  if (!live || !window.fetch || !window.DOMParser) { return; }
  var heard = Date.now();
  var busyNow = false;
  function busy() {
    var at = document.activeElement;
    return at && at !== document.body && live.contains(at) && at.getAttribute("role") !== "region" || String(getSelection()).length > 0;
  }
  function say() {
    var s = Math.round((Date.now() - heard) / 1000);
    var text = s > 4 && !document.hidden ? "Stale: the console was last heard " + s + " s ago" : "";
    if (stale.textContent !== text) { stale.textContent = text; }
  }
  async function look() {
    if (busyNow || document.hidden) { return; }
    busyNow = true;
    try {
      var response = await fetch(location.href, { headers: { "X-Console-Live": "1" }, cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (response.ok) {
        var next = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("live");
        if (next) {
          heard = Date.now();
          live.dataset.heard = new Date(heard).toISOString();
          if (!busy() && next.innerHTML !== live.innerHTML) { live.innerHTML = next.innerHTML; }
        }
      }
    } catch (e) { /* said by say */ }
    busyNow = false;
    say();
  }
  // A page that comes to the front again after a night is brought up to date at once, and says how old it is until then.
  document.addEventListener("visibilitychange", function () { say(); look(); });
  setInterval(look, 1000);
  setInterval(say, 1000);
})();
