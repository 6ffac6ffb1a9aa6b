"use strict";
(function () {
  var form = document.getElementById("filter");
  if (form) {
    var q = document.getElementById("q"), fs = document.getElementById("fs"), fc = document.getElementById("fc");
    var shown = document.getElementById("shown");
    var all = Array.prototype.slice.call(document.querySelectorAll(".finding"));
    var texts = all.map(function (f) { return f.textContent.toLowerCase(); });
    var groups = Array.prototype.slice.call(document.querySelectorAll(".group"));
    var apply = function () {
      var words = q.value.toLowerCase().split(/\s+/).filter(Boolean), n = 0;
      all.forEach(function (f, i) {
        var ok = (fs.value === "" || f.dataset.severity === fs.value) && (fc.value === "" || f.dataset.check === fc.value) &&
          words.every(function (w) { return texts[i].indexOf(w) >= 0; });
        f.hidden = ok === false;
        n += ok ? 1 : 0;
      });
      groups.forEach(function (g) { g.hidden = g.querySelector(".finding:not([hidden])") === null; });
      shown.textContent = n === all.length ? "" : n + " of " + all.length + " listed findings";
    };
    form.hidden = false;
    form.addEventListener("input", apply);
    form.addEventListener("submit", function (e) { e.preventDefault(); });
  }
  var unfold = function () {
    var id = location.hash.slice(1), at = id ? document.getElementById(id) : null;
    for (var up = at; up; up = up.parentElement) {
      if (up.tagName === "DETAILS") { up.open = true; }
      if (up.hidden) { up.hidden = false; }
    }
    if (at) { at.scrollIntoView(); }
  };
  window.addEventListener("hashchange", unfold);
  unfold();
})();
