import type { AssetModel, Model } from "@/api/types";
import { usePromote, useTakeBack } from "../api/models";
import { shortId } from "../words";
import { ReasonDialog } from "./ReasonDialog";

export interface Decided {
  kind: "promote" | "take back";
  model: Model;
}

interface DecisionProps {
  decided: Decided;
  of: AssetModel;
  /** The machine's. */
  name: string;
  onClose: () => void;
}

/** Which model acts on one machine, by a person's word. */
export function Decision({ decided: { kind, model }, of, name, onClose }: DecisionProps) {
  const promote = usePromote();
  const takeBack = useTakeBack();
  const act = kind === "promote" ? promote : takeBack;
  const verb = kind === "promote" ? "Make it champion" : "Roll back";
  return (
    <ReasonDialog
      title={`${verb}: ${shortId(model.id)}?`}
      verb={verb}
      error={act.error}
      busy={act.isPending}
      onClose={onClose}
      onDo={(reason) => act.mutate({ model: model.id, reason }, { onSuccess: onClose })}
    >
      {kind === "promote" ? promoting(of, name) : takingBack(of, name)} It happens within a second.
    </ReasonDialog>
  );
}

function promoting({ champion }: AssetModel, name: string): string {
  const before = champion ? ` in place of ${shortId(champion.id)}, without the days in its shadow` : "";
  return `It acts on ${name} from then on${before}.`;
}

function takingBack({ history }: AssetModel, name: string): string {
  const before = history.find(({ state }) => state === "retired");
  return before
    ? `It no longer acts on ${name}. The model before it does again, if it was the last one to.`
    : `It no longer acts on ${name}, and no model does then: limits and single signals are still watched.`;
}
