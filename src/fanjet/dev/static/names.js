// A name for each tab, and a colour for each name.

const FIRST = ["amber", "brisk", "calm", "clever", "gentle", "golden", "lucky", "merry", "quiet", "silver", "sunny", "swift"];
const SECOND = ["badger", "falcon", "fox", "heron", "lynx", "marten", "otter", "owl", "robin", "seal", "swallow", "wren"];

const any = (list) => list[Math.floor(Math.random() * list.length)];

// The tab keeps its name when it is loaded again.
export function ownName() {
  const kept = sessionStorage.getItem("name");
  if (kept) return kept;
  const name = `${any(FIRST)} ${any(SECOND)}`;
  sessionStorage.setItem("name", name);
  return name;
}

export function hue(name) {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + character.codePointAt(0)) % 360;
  return sum;
}
