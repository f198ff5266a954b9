import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useMay } from "@/api/use-session";
import { useAssetNames } from "@/features/assets/api/assets";
import { rolloutsQuery } from "@/features/models/api/rollouts";
import { BeginRollout } from "@/features/models/components/BeginRollout";
import { EndedRollouts } from "@/features/models/components/EndedRollouts";
import { RolloutPanel } from "@/features/models/components/RolloutPanel";
import classes from "@/features/models/components/Rollouts.module.css";
import { waitingWords } from "@/features/models/rollouts";
import { ErrorPanel, Panel, Rows } from "@/ui/components/Panel";
import { ModelTabs } from "../ModelTabs";
import page from "./AssetPage.module.css";

/** How new models take over: what is under way, and what became of the rest. */
export function RolloutsPage() {
  const found = useQuery(rolloutsQuery);
  const names = useAssetNames();
  const mayTrain = useMay("models.train");
  const [beginning, setBeginning] = useState(false);
  const { rollouts, candidates } = found.data ?? { rollouts: [], candidates: [] };
  const open = rollouts.filter(({ is_over }) => !is_over);
  return (
    <div className={page.page}>
      <ModelTabs />
      {found.data ? (
        <>
          <Panel
            title="Rollouts"
            actions={
              mayTrain && candidates.length ? <Button onClick={() => setBeginning(true)}>Begin rollout</Button> : null
            }
          >
            <p className={classes.about}>{waitingWords(open.length, candidates)}</p>
            <p className={`${classes.about ?? ""} muted`}>
              A new model takes over step by step: in the shadow of the champion, then on some of the machines, then on all, and
              watched for a while. Whatever is too loud, too slow, too silent or fails goes back by itself.
            </p>
          </Panel>
          {open.map((rollout) => (
            <RolloutPanel key={rollout.id} rollout={rollout} names={names} mayTrain={mayTrain} />
          ))}
          <EndedRollouts rollouts={rollouts.filter(({ is_over }) => is_over)} names={names} />
          {beginning ? <BeginRollout candidates={candidates} names={names} onClose={() => setBeginning(false)} /> : null}
        </>
      ) : found.error ? (
        <ErrorPanel error={found.error} onRetry={() => void found.refetch()} />
      ) : (
        <Panel flush>
          <Rows count={3} height={90} />
        </Panel>
      )}
    </div>
  );
}
