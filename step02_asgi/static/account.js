// Notices when somebody signs in again in this browser.

const name = document.body.dataset.csrfCookie;
const atFirst = readCookie();

// Django changes this cookie whenever somebody signs in.
function readCookie() {
  return document.cookie.split("; ").find((cookie) => cookie.startsWith(`${name}=`));
}

export function anotherUserSignedIn() {
  return readCookie() !== atFirst;
}
