// Sends a rule's form to the API: what it says as one object, under the
// condition that nobody else has changed the rule since the page was made. Each
// mistake is shown at the field that it is about.
"use strict";
(() => {
  const form = document.getElementById("rule");
  const said = document.getElementById("said");
  const remove = document.getElementById("remove");
  const inputs = [...form.querySelectorAll("[data-kind]")];
  const read = {
    text: (i) => i.value.trim() || undefined,
    // What is no number is sent as it is: the API says what is wrong with it.
    number: (i) => (i.value.trim() === "" ? undefined : /^-?\d+$/.test(i.value.trim()) ? Number(i.value) : i.value),
    list: (i) => { const lines = i.value.split("\n").map((l) => l.trim()).filter(Boolean); return lines.length ? lines : undefined; },
    flag: (i) => i.checked || undefined,
    choice: (i) => ({ "": undefined, true: true, false: false })[i.value] ?? (i.value || undefined),
  };

  function object() {
    const rule = {};
    for (const input of inputs) {
      const value = read[input.dataset.kind](input);
      if (value === undefined) continue;
      const path = input.id.split(".");
      let at = rule;
      for (const name of path.slice(0, -1)) at = at[name] ??= {};
      at[path.at(-1)] = value;
    }
    return rule;
  }

  function clear() {
    said.hidden = true;
    form.querySelectorAll(".mistake").forEach((m) => m.remove());
    form.querySelectorAll("[aria-invalid]").forEach((i) => i.removeAttribute("aria-invalid"));
  }

  // A mistake begins with a JSON pointer: "/schedule/at: ...".
  function place(mistake) {
    const end = mistake.indexOf(": ");
    const path = mistake.slice(1, end).replaceAll("/", ".");
    const input = inputs.find((i) => path === i.id || path.startsWith(i.id + "."));
    if (!mistake.startsWith("/") || !input) return false;
    const line = document.createElement("small");
    line.className = "mistake";
    line.textContent = mistake.slice(end + 2);
    input.setAttribute("aria-invalid", "true");
    input.after(line);
    return true;
  }

  function complain(problem) {
    const rest = (problem.errors ?? []).filter((m) => !place(m));
    const lines = problem.errors?.length ? ["The rule was not saved."] : [problem.detail, problem.remedy];
    said.className = "note bad";
    said.textContent = lines.concat(rest).filter(Boolean).join(" ");
    said.hidden = false;
    (form.querySelector("[aria-invalid]") ?? form).scrollIntoView({ block: "center" });
  }

  async function send(method, name, body) {
    clear();
    const condition = form.dataset.revision ? { "If-Match": form.dataset.revision } : { "If-None-Match": "*" };
    try {
      const answer = await fetch("/api/v1/rules/" + encodeURIComponent(name), {
        method, body, headers: { "Content-Type": "application/json", ...condition },
      });
      if (answer.ok) { location.assign("/rules"); return; }
      if (answer.status === 401) { location.reload(); return; }
      complain(await answer.json());
    } catch (_) {
      complain({ detail: "The service did not answer.", remedy: "Try again in a moment." });
    }
  }

  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const rule = object();
    if (!rule.name) { complain({ errors: ["/name: must not be blank"] }); return; }
    send("PUT", rule.name, JSON.stringify(rule));
  });
  remove?.addEventListener("click", () => {
    if (remove.dataset.sure) { send("DELETE", document.getElementById("name").value); return; }
    remove.dataset.sure = "yes";
    remove.textContent = "Delete this rule for good";
  });
})();
