/** What is wrong with a machine's model, and what helps; by the finding's kind. */
const KINDS: Record<string, { title: string; remedy: string }> = {
  model_input_drift: {
    title: "A signal has left what the model learned",
    remedy: "Look at the sensor first. If this is how it is to be, mark this wrong and train the machine again.",
  },
  model_score_drift: {
    title: "The machine has moved away from what its model learned",
    remedy: "Look at what has changed on the machine. If this is how it is to be, mark this wrong and train it again.",
  },
  model_unit_changed: {
    title: "A signal comes in another unit than the model learned",
    remedy: "Correct the unit at the device. If it is to stay so, correct it in the plant file, or mark this wrong and train the machine again.",
  },
  model_unseen_regime: {
    title: "The machine runs as its model never saw it run",
    remedy: "Nothing is judged meanwhile. If it stays so, train the machine again once it has run like this for some hours.",
  },
  model_read_too_seldom: {
    title: "A signal is read too seldom for the model",
    remedy: "Nothing is judged meanwhile. Read it as often as before. If it is to stay so, train the machine again.",
  },
  model_split: {
    title: "No single place has all signals of the model",
    remedy: "Let one gateway, or the site alone, collect all signals of this machine.",
  },
  model_signals_changed: {
    title: "The machine's signals are no longer those of its model",
    remedy: "Train the machine again.",
  },
  model_thresholds: {
    title: "A gateway refuses the threshold that people moved",
    remedy: "It goes on with the one it learned. Train the machine again, and bring the gateway to the site's version.",
  },
  model_truncated: { title: "The model's file is cut short", remedy: "Train the machine again, or roll back to the model before." },
  model_damaged: { title: "The model's file is damaged", remedy: "Train the machine again, or roll back to the model before." },
  model_poisoned: { title: "The model's file holds what no model may hold", remedy: "Find out where it came from. Then train the machine again." },
  model_too_large: { title: "The model's file is too large", remedy: "Train the machine again with fewer signals." },
  model_unknown_key: {
    title: "The model is signed by nobody who is trusted here",
    remedy: "Train the machine again here, or trust the key of the site that signed it.",
  },
  model_wrong_signature: { title: "The model's signature is wrong", remedy: "Somebody changed the file. Train the machine again." },
  model_unreadable: { title: "The model could not be read", remedy: "Look at the site's disk; it is tried again by itself." },
  model_unusable: { title: "The model cannot be used here", remedy: "Train the machine again." },
  model_failed: { title: "The model failed and is not asked any more", remedy: "Train the machine again, or report the detector that failed." },
};

const OTHER = { title: "Something is wrong with the machine's model", remedy: "Train the machine again." };

/** Told of the model itself; null for what was found by one. */
export function modelTrouble(detector: string, kind: string): { title: string; remedy: string } | null {
  return detector === "model" ? (KINDS[kind] ?? OTHER) : null;
}
