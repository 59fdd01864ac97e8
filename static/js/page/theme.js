// Runs before the first paint, so that a chosen theme never flashes. Not a module for that reason.
(() => {
  try {
    const theme = localStorage.getItem("tertulia.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage is forbidden here: the system's choice stands.
  }
})();
