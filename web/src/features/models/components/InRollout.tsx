import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Panel } from "@/ui/components/Panel";
import { rolloutsQuery } from "../api/rollouts";
import { machinesWords } from "../rollouts";
import { shortId } from "../words";
import classes from "./Rollouts.module.css";
import { RolloutSteps } from "./RolloutSteps";

/** The rollout in which one machine is, if it is in one. */
export function InRollout({ asset }: { asset: string }) {
  const { data } = useQuery(rolloutsQuery);
  const found = data?.rollouts.find(({ is_over, machines }) => !is_over && machines.some(({ asset_id }) => asset_id === asset));
  if (!found) return null;
  const acts = found.machines.some((machine) => machine.asset_id === asset && machine.acts);
  return (
    <Panel
      title={`In rollout ${shortId(found.id)}, of ${machinesWords(found.machines.length)}`}
      label="Rollout of the machine"
      actions={<Link to="/rollouts">Both sides, and roll back</Link>}
    >
      <RolloutSteps rollout={found} />
      {found.state === "canary" ? <p className={classes.here}>Here {acts ? "the new one acts" : "the champion acts"}.</p> : null}
    </Panel>
  );
}
