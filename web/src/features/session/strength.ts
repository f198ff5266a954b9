export interface Strength {
  /** 0 unusable, 1 weak, 2 fair, 3 strong. */
  score: 0 | 1 | 2 | 3;
  hint: string;
}

const SHORTEST = 12;
const LONG = 20;

/** A guess at how well a password stands, with what would help most. The server judges by its own rules. */
export function strengthOf(password: string, name: string): Strength {
  if (!password) return { score: 0, hint: `At least ${SHORTEST} characters; a few unrelated words are easy to keep in mind.` };
  const left = SHORTEST - password.length;
  if (left > 0) return { score: 0, hint: `${left} more ${left === 1 ? "character" : "characters"}.` };
  const plain = password.toLowerCase();
  if (name && plain.includes(name.toLowerCase())) return { score: 1, hint: "It contains your name; choose something unrelated." };
  if (new Set(plain).size < 6) return { score: 1, hint: "It repeats itself; use more different characters." };
  if (/0123|1234|2345|abcd|qwert|passw|asdf/.test(plain)) return { score: 1, hint: "It contains a row that everybody tries first." };
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z\d]/].filter((kind) => kind.test(password)).length;
  if (password.length >= LONG || (password.length >= 16 && kinds >= 3)) return { score: 3, hint: "Long. It is hard to guess if its words are uncommon." };
  return { score: 2, hint: "Fair. One more uncommon word makes it much harder to guess." };
}
