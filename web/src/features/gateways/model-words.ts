import type { Gateway } from "@/api/types";

type Models = Gateway["models"];
type MachineModel = Models["machines"][number];

/** Why a gateway does not use the model that it should, and what helps. */
const REFUSALS: Record<string, string> = {
  truncated: "The file that came is cut short. It is fetched again by itself.",
  damaged: "The file that came is damaged. It is fetched again by itself.",
  poisoned: "The file holds what no model may hold. Find out where it came from, then train the machine again.",
  too_large: "The file is larger than a gateway takes. Train the machine again with fewer signals.",
  unknown_key: "It is signed by a key that this gateway does not trust. Add the site's key to the gateway's file.",
  wrong_signature: "Its signature is wrong: somebody changed the file. Train the machine again.",
  unusable: "This gateway cannot use it: a detector is not installed there, or does not take it. Update the gateway.",
  thresholds: "It refuses the threshold that people moved, and goes on with the one learned.",
};

export interface Standing {
  mark: string;
  text: string;
}

/** How the model of one machine stands on the gateway. */
export function standingOf({ wanted, acting, refused, moved }: MachineModel, told: boolean): Standing {
  if (refused !== null) {
    const why = REFUSALS[refused] ?? "The gateway refuses it. See what is told of the machine.";
    return { mark: "alarm", text: acting ? `${why} The model before it still acts.` : why };
  }
  if (!told) return { mark: "no_data", text: "The gateway has not told of it yet." };
  if (wanted === null) return { mark: "baselining", text: "No model should act here any more. The gateway lets go of it with its next heartbeat." };
  if (acting === null) return { mark: "baselining", text: "On its way: the gateway does not have it yet, and no model acts here." };
  if (acting !== wanted) return { mark: "baselining", text: "A newer one is on its way; this one acts until it is there." };
  return { mark: "normal", text: moved ? "Acts, with the threshold that people moved." : "Acts, with the threshold as learned." };
}

/** All of them in a sentence. */
export function modelsWords({ told_at, up_to_date, trusts_site, thresholds, thresholds_wanted, machines }: Models): string {
  if (told_at === null) return "The gateway has not told which models it holds since this site started.";
  if (!trusts_site) return "The gateway does not trust this site's models: add the site's key to the gateway's file.";
  if (machines.length === 0) return "No machine behind this gateway has a model.";
  if (up_to_date) return "The gateway uses what the site wants of it.";
  if (thresholds !== thresholds_wanted) return "The thresholds that people moved are on their way to the gateway.";
  return "The gateway does not use all that the site wants of it yet.";
}
