import { Button } from "@mantine/core";
import { useState } from "react";
import type { Rollout } from "@/api/types";
import { Panel } from "@/ui/components/Panel";
import { formatTime } from "@/ui/format";
import { useRollBack } from "../api/rollouts";
import { backWords, machinesWords } from "../rollouts";
import { shortId } from "../words";
import { ReasonDialog } from "./ReasonDialog";
import { RolloutMachines } from "./RolloutMachines";
import { RolloutSides } from "./RolloutSides";
import { RolloutSteps } from "./RolloutSteps";

interface RolloutPanelProps {
  rollout: Rollout;
  names: ReadonlyMap<string, string>;
  mayTrain: boolean;
}

/** One rollout that is under way. */
export function RolloutPanel({ rollout, names, mayTrain }: RolloutPanelProps) {
  const [asking, setAsking] = useState(false);
  const back = useRollBack();
  const { id, machines, started_at } = rollout;
  const ask = (): void => {
    back.reset();
    setAsking(true);
  };
  return (
    <Panel
      title={`Rollout ${shortId(id)}, ${machinesWords(machines.length)}`}
      label={`Rollout ${shortId(id)}`}
      actions={
        <>
          <span className="muted num">begun {formatTime(started_at)}</span>
          {mayTrain ? (
            <Button variant="default" onClick={ask}>
              Roll back
            </Button>
          ) : null}
        </>
      }
    >
      <RolloutSteps rollout={rollout} />
      <RolloutSides rollout={rollout} />
      <RolloutMachines machines={machines} names={names} />
      {asking ? (
        <ReasonDialog
          title={`Roll back ${shortId(id)}, ${machinesWords(machines.length)}?`}
          verb="Roll back"
          error={back.error}
          busy={back.isPending}
          onClose={() => setAsking(false)}
          onDo={(reason) => back.mutate({ rollout: id, reason }, { onSuccess: () => setAsking(false) })}
        >
          {backWords(rollout)}
        </ReasonDialog>
      ) : null}
    </Panel>
  );
}
