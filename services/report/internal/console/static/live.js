// Renews the page's content when something happened: follows the results, and
// fetches this page again soon after one that may concern it.
"use strict";
(() => {
  const soon = 200; // milliseconds: one fetch for a burst of events
  const kinds = [
    "scan.queued", "scan.started", "scan.inventoried", "scan.completed", "scan.failed", "scan.cancelled",
    "findings.changed", "image.changed", "image.gone", "image.expired",
  ];
  const live = document.getElementById("live");
  const onImage = location.pathname.startsWith("/images/");
  const digest = onImage ? decodeURIComponent(location.pathname.slice("/images/".length)) : "";
  let timer = 0, busy = false, again = false;

  const typing = () => {
    const at = document.activeElement;
    return at && at.closest("#main") && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName);
  };

  async function renew() {
    timer = 0;
    if (busy) { again = true; return; }
    if (typing()) { later(1500); return; }
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { "Landwaiter-Fragment": "1" }, cache: "no-store" });
      if (answer.status === 401) { location.reload(); return; }
      if (answer.ok) {
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
        const main = document.getElementById("main");
        if (fresh && fresh.innerHTML !== main.innerHTML) main.replaceWith(fresh);
      }
    } catch (_) { /* the stream tells when the service is back */ }
    busy = false;
    if (again) { again = false; later(soon); }
  }

  function later(wait) { if (!timer) timer = setTimeout(renew, wait); }

  const stream = new EventSource("/api/v1/events");
  let lost = false;
  stream.onopen = () => {
    live.hidden = false;
    live.classList.remove("lost");
    live.textContent = "live";
    if (lost) later(0); // something may have been missed
    lost = false;
  };
  stream.onerror = () => {
    lost = true;
    live.hidden = false;
    live.classList.add("lost");
    live.textContent = "connection lost";
  };
  for (const kind of kinds) {
    // On an image's page only what is about it, or about one of its platforms,
    // which the page links to.
    stream.addEventListener(kind, (e) => {
      if (onImage && !e.data.includes(digest) && ![...document.querySelectorAll("#main a[href^='/images/']")]
        .some((a) => e.data.includes(decodeURIComponent(a.getAttribute("href").slice("/images/".length))))) return;
      later(soon);
    });
  }
  setInterval(() => later(0), 60000); // ages, and what expires without an event
})();
