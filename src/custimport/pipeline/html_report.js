"use strict";
// Shows the rows that hold every word and the chosen code. "#q=WORDS&code=CODE" in the address is a search of its own.
(() => {
  const words = document.getElementById("words");
  const code = document.getElementById("code");
  const found = document.getElementById("found");
  const rows = Array.from(document.querySelectorAll("tbody tr"));
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const search = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    rows.forEach((row, at) => {
      const shown = wanted.every((word) => texts[at].includes(word)) &&
        (!code.value || row.dataset.codes.split(" ").includes(code.value));
      row.hidden = !shown;
      count += shown;
    });
    found.textContent = `${count.toLocaleString("en")} of ${rows.length.toLocaleString("en")} shown`;
  };
  const fromAddress = () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    words.value = asked.get("q") || "";
    code.value = asked.get("code") || "";
    search();
  };
  words.addEventListener("input", search);
  code.addEventListener("change", search);
  addEventListener("hashchange", fromAddress);
  document.querySelector(".search").hidden = rows.length === 0;
  fromAddress();
})();
