/** Conversations as files: out of the page, and in again. */

/** Gives a file to whoever sits here. @param {{name: string, blob: Blob}} file */
export function save({ name, blob }) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser has to have begun with it.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** What an exported file holds; null when it is no such file. @param {Blob} file */
export async function exported(file) {
  try {
    const document = JSON.parse(await file.text());
    return typeof document === "object" && !Array.isArray(document) ? document : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
