// What every page gets if scripts run: local times, menus that close by themselves. Nothing here is needed to use a page.

const language = document.documentElement.lang;

// A form that was refused is answered under its own address: what one reloads is the page.
const here = document.body.dataset.here;
if (here) history.replaceState(null, "", here);

// Moments were written in UTC by the server; show them where the reader is.
const format = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.getTime())) {
    time.title = time.textContent.trim();
    time.textContent = format.format(at);
  }
}

// An open menu closes when one goes elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
  }
});

// What can be done with a row of a list: one menu for all of them, put beside the row that it is about.
const rowMenu = document.getElementById("row-menu");
if (rowMenu) rowMenus(rowMenu.content);

function rowMenus(menus) {
  let open = null;
  const close = () => {
    open?.menu.remove();
    open?.link.setAttribute("aria-expanded", "false");
    open = null;
  };
  const show = (link) => {
    const row = link.closest("tr");
    const entry = row.querySelector("a.entry");
    const id = link.pathname.split("/").pop();
    const menu = menus.querySelector(`[data-kind="${row.dataset.row}"]`).cloneNode(true);
    menu.id = "open-row-menu";
    if (row.dataset.edit === undefined) menu.querySelectorAll("[data-edit]").forEach((item) => item.remove());
    for (const item of menu.querySelectorAll("[data-to]")) {
      item.setAttribute(item.tagName === "FORM" ? "action" : "href", item.dataset.to + id + (item.dataset.end ?? ""));
    }
    menu.querySelector("[data-open]").href = entry.href;
    const name = menu.querySelector("input[name=name]");
    if (name) name.defaultValue = name.value = entry.querySelector("bdi").textContent;
    close();
    link.after(menu);
    link.setAttribute("aria-expanded", "true");
    open = { link, menu };
    // Upwards where there is no room below, but above.
    const box = menu.getBoundingClientRect();
    if (box.bottom > innerHeight && link.getBoundingClientRect().top > box.height) menu.classList.add("up");
    menu.querySelector("a, button").focus();
  };
  for (const link of document.querySelectorAll("a.more")) {
    link.setAttribute("role", "button");
    link.setAttribute("aria-haspopup", "true");
    link.setAttribute("aria-expanded", "false");
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a.more");
    if (!link) {
      if (open && !open.menu.contains(event.target)) close();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (open?.link === link) close();
    else show(link);
  });
  document.addEventListener("keydown", (event) => {
    const link = event.target.closest?.("a.more");
    if (link && event.key === " ") {
      event.preventDefault();
      link.click();
      return;
    }
    if (!open) return;
    if (event.key === "Escape") {
      const { link } = open;
      close();
      link.focus();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && open.menu.contains(event.target)) {
      const items = [...open.menu.querySelectorAll("a, button, input")];
      items[items.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
      event.preventDefault();
    }
  });
  // Whoever goes on with the tabulator leaves the menu.
  document.addEventListener("focusin", (event) => {
    if (open && !open.menu.contains(event.target) && event.target !== open.link) close();
  });
}

// What is there to be copied is selected by a click.
for (const field of document.querySelectorAll("[data-select]")) {
  field.addEventListener("focus", () => field.select());
}

// What cannot be undone is asked once more.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-confirm]");
  if (button && !confirm(button.dataset.confirm)) event.preventDefault();
});
