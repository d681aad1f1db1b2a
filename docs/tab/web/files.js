// The files that `make tab` has built.

// Return the name of a step's file, such as step04.zip.
export function stepFile(number, ending) {
  return `step${String(number).padStart(2, "0")}.${ending}`;
}

// Return the content of the file at that address.
export async function load(address) {
  const response = await fetch(address);
  if (!response.ok) {
    throw new Error(`${address} can't be loaded (${response.status})`);
  }
  return response.arrayBuffer();
}
