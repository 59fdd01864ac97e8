/**
 * The SHA-256 of a text in UTF-8, in hex. WebCrypto exists only in secure contexts (https, or a loopback address);
 * elsewhere the answer is null, and the check is left out.
 *
 * @param {string} text
 * @returns {Promise<string | null>}
 */
export async function sha256(text) {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) return null;
  const bytes = new Uint8Array(await subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
