import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import type { AssetModel } from "@/api/types";
import { useMay } from "@/api/use-session";
import { anomaliesQuery } from "@/features/anomalies/api/anomalies";
import { AnomalyList } from "@/features/anomalies/components/AnomalyList";
import { assetsQuery, useAssetNames } from "@/features/assets/api/assets";
import { assetModelQuery, modelsQuery, trainingQuery } from "@/features/models/api/models";
import { Decision, type Decided } from "@/features/models/components/Decision";
import { DriftPanel } from "@/features/models/components/DriftPanel";
import { HistoryPanel } from "@/features/models/components/HistoryPanel";
import { InRollout } from "@/features/models/components/InRollout";
import { ModelSide } from "@/features/models/components/ModelSide";
import classes from "@/features/models/components/Models.module.css";
import { ModelsTable } from "@/features/models/components/ModelsTable";
import { SignalsPanel } from "@/features/models/components/SignalsPanel";
import { ThresholdPanel } from "@/features/models/components/ThresholdPanel";
import { TrainPanel } from "@/features/models/components/TrainPanel";
import { Empty, ErrorPanel, Panel, Rows } from "@/ui/components/Panel";
import { prose } from "@/ui/format";
import { ModelTabs } from "../ModelTabs";
import page from "./AssetPage.module.css";

/** What was learned of every machine. */
export function ModelsPage() {
  const training = useQuery(trainingQuery);
  const models = useQuery(modelsQuery(training.data));
  const assets = useQuery(assetsQuery);
  const names = useAssetNames();
  const mayTrain = useMay("models.train");
  const failed = [models, assets].find(({ error }) => error);
  return (
    <div className={page.page}>
      <ModelTabs />
      <TrainPanel job={training.data ?? null} names={names} mayTrain={mayTrain} />
      {models.data && assets.data ? (
        <ModelsTable assets={assets.data.assets} models={models.data} mayTrain={mayTrain} />
      ) : failed?.error ? (
        <ErrorPanel error={failed.error} onRetry={() => void failed.refetch()} />
      ) : (
        <Waiting />
      )}
    </div>
  );
}

const route = getRouteApi("/models/$id");

/** One machine's models. */
export function ModelPage() {
  const { id } = route.useParams();
  const found = useQuery(assetModelQuery(id));
  const mayTrain = useMay("models.train");
  const names = useAssetNames();
  const [decided, setDecided] = useState<Decided | null>(null);
  const of = found.data;
  const shown = of?.champion ?? of?.challenger;
  return (
    <div className={page.page}>
      <span>
        <Link to="/models">All models</Link> · <Link to="/assets/$id" params={{ id }}>{names.get(id) ?? id}</Link>
      </span>
      {of ? (
        <>
          <TrainPanel
            asset={id}
            job={of.job}
            names={names}
            mayTrain={mayTrain}
            next={of.next_training?.why === of.waits_for ? null : of.next_training}
          />
          {shown ? null : <NoModel of={of} mayTrain={mayTrain} />}
          <Advisories asset={id} />
          <InRollout asset={id} />
          <ThresholdPanel thresholds={shown ? of.thresholds : []} champion={of.champion?.id} asset={id} />
          <div className={classes.sides}>
            {of.champion ? (
              <ModelSide
                title="Champion"
                model={of.champion}
                verb={mayTrain ? "Roll back" : undefined}
                onAct={(model) => setDecided({ kind: "take back", model })}
              />
            ) : null}
            {of.challenger ? (
              <ModelSide
                title="Challenger"
                model={of.challenger}
                verb={mayTrain ? "Make champion" : undefined}
                onAct={(model) => setDecided({ kind: "promote", model })}
              />
            ) : null}
          </div>
          {of.champion ? <DriftPanel drift={of.drift} /> : null}
          {shown ? <SignalsPanel model={shown} /> : null}
          <HistoryPanel history={of.history} />
          {decided ? <Decision decided={decided} of={of} name={names.get(id) ?? id} onClose={() => setDecided(null)} /> : null}
        </>
      ) : found.error ? (
        <ErrorPanel error={found.error} onRetry={() => void found.refetch()} />
      ) : (
        <Waiting />
      )}
    </div>
  );
}

/** Neither has it a model that acts nor one that waits to. */
function NoModel({ of: { history, waits_for }, mayTrain }: { of: AssetModel; mayTrain: boolean }) {
  const had = history.length > 0;
  const told = [
    had ? "What it had acts no more; limits and single signals are still watched." : "",
    waits_for ? `${prose(waits_for)}.` : "",
    mayTrain ? `Train it${had ? " anew" : ""} from its healthy past: it takes about a second.` : "",
  ];
  return (
    <Panel flush>
      <Empty title={had ? "No model acts on this machine" : "No model of this machine yet"}>{told.filter(Boolean).join(" ")}</Empty>
    </Panel>
  );
}

function Waiting() {
  return (
    <Panel flush>
      <Rows count={3} />
    </Panel>
  );
}

/** What is told of the model itself and has not ended: drift, and why it cannot be used. */
function Advisories({ asset }: { asset: string }) {
  const { data } = useQuery(anomaliesQuery(asset));
  const open = (data ?? []).filter(({ detector, ended_at }) => detector === "model" && ended_at === null);
  return open.length ? <AnomalyList title="Told of the model" anomalies={open} assetId={asset} /> : null;
}
