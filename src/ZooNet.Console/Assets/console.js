// Keeps #live up to date: the page itself is fetched again, and what is in it changed where it differs. The console answers when it has
// heard of its proxies anew. Without this script every page still works.
(function () {
  "use strict";
  var live = document.getElementById("live");
  var stale = document.getElementById("stale");
  if (!live || !window.fetch || !window.DOMParser) { return; }
  var heard = Date.now();
  var busy = false;
  function keyOf(node) { return node.nodeType === 1 ? node.getAttribute("data-key") || node.id : ""; }
  // Makes one node like another. Nodes stay the same, so nothing that has the focus, is selected or scrolled loses that.
  function become(old, next) {
    if (old.nodeType !== 1) {
      if (old.data !== next.data) { old.data = next.data; }
      return;
    }
    for (var i = old.attributes.length - 1; i >= 0; i--) {
      if (!next.hasAttribute(old.attributes[i].name)) { old.removeAttribute(old.attributes[i].name); }
    }
    for (i = 0; i < next.attributes.length; i++) {
      var a = next.attributes[i];
      if (old.getAttribute(a.name) !== a.value) { old.setAttribute(a.name, a.value); }
    }
    var at = old.firstChild;
    Array.from(next.childNodes).forEach(function (wanted) {
      var key = keyOf(wanted);
      var found = at;
      // What has a name is found by it, so that a button never becomes that of another row.
      while (found && (found.nodeName !== wanted.nodeName || keyOf(found) !== key)) { found = found.nextSibling; }
      if (!found) {
        old.insertBefore(wanted, at);
        return;
      }
      while (at !== found) {
        var gone = at;
        at = at.nextSibling;
        gone.remove();
      }
      become(found, wanted);
      at = found.nextSibling;
    });
    while (at) {
      var rest = at;
      at = at.nextSibling;
      rest.remove();
    }
  }
  function say() {
    var s = Math.round((Date.now() - heard) / 1000);
    var text = s > 4 && !document.hidden ? "Stale: the console was last heard " + s + " s ago" : "";
    if (stale.textContent !== text) { stale.textContent = text; }
  }
  async function look() {
    if (busy || document.hidden) { return false; }
    busy = true;
    var good = false;
    try {
      var response = await fetch(location.href, { headers: { "X-Console-Live": "1" }, cache: "no-store", signal: AbortSignal.timeout(10000) });
      if (response.ok) {
        var next = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("live");
        if (next) {
          good = true;
          heard = Date.now();
          become(live, next);
          live.dataset.heard = new Date(heard).toISOString();
        }
      }
    } catch (e) { /* said by say */ }
    busy = false;
    say();
    return good;
  }
  async function follow() {
    var good = await look();
    setTimeout(follow, good ? 100 : 1000);
  }
  // A page that comes to the front again after a night is brought up to date at once, and says how old it is until then.
  document.addEventListener("visibilitychange", function () { say(); look(); });
  setInterval(say, 1000);
  follow();
})();
