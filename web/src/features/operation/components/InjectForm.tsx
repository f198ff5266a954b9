import { Button, NumberInput, Select, Slider } from "@mantine/core";
import { useState } from "react";
import type { FaultRequest, Simulation } from "@/api/types";
import classes from "./Operation.module.css";

interface InjectFormProps {
  simulation: Simulation;
  assets: ReadonlyMap<string, { name: string; template: string }>;
  busy: boolean;
  onInject: (fault: FaultRequest) => void;
}

/** Which machine is to break, how, how badly and how fast. */
export function InjectForm({ simulation, assets, busy, onInject }: InjectFormProps) {
  const [assetId, setAssetId] = useState<string | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const [severity, setSeverity] = useState(0.8);
  const [ramp, setRamp] = useState<string | number>(20);
  const template = assetId ? (assets.get(assetId)?.template ?? "") : "";
  const fitting = simulation.faults.filter((f) => !f.templates.length || !template || f.templates.includes(template));
  const info = fitting.find((f) => f.name === fault);
  const ready = assetId !== null && info !== undefined && Number(ramp) >= 0;
  return (
    <form
      className={classes.inject}
      onSubmit={(e) => {
        e.preventDefault();
        if (ready && !busy) onInject({ asset_id: assetId, fault: info.name, severity, ramp_s: Number(ramp) });
      }}
    >
      <Select
        label="Machine"
        placeholder="Choose a machine"
        searchable
        value={assetId}
        onChange={setAssetId}
        data={simulation.assets.map((id) => ({ value: id, label: assets.get(id)?.name ?? id }))}
      />
      <Select
        label="Fault"
        placeholder="Choose a fault"
        value={info?.name ?? null}
        onChange={setFault}
        data={fitting.map((f) => ({ value: f.name, label: f.title }))}
      />
      <div>
        <div className={classes.label} id="severity-label">
          Severity <span className="num">{Math.round(severity * 100)}%</span>
        </div>
        <Slider
          thumbProps={{ "aria-labelledby": "severity-label" }}
          min={0.05}
          max={1}
          step={0.05}
          label={null}
          size="sm"
          thumbSize={24}
          value={severity}
          onChange={setSeverity}
          className={classes.slider}
        />
      </div>
      <NumberInput label="Grows over, seconds" min={0} max={86_400} value={ramp} onChange={setRamp} />
      <Button type="submit" disabled={!ready} loading={busy} className={classes.submit}>
        Inject fault
      </Button>
      <p className={`${classes.hint} muted`}>
        {info?.description ?? "The simulated machine then behaves as a real one would; the labels are kept beside the data."}
      </p>
    </form>
  );
}
