import { Button } from "@mantine/core";
import { useState } from "react";
import type { Simulation } from "@/api/types";
import { useMay } from "@/api/use-session";
import { Empty, ErrorPanel, Panel } from "@/ui/components/Panel";
import { StateMark } from "@/ui/components/StateMark";
import { formatTime } from "@/ui/format";
import { IconPlay, IconStop } from "@/ui/icons";
import { useSimulationOrder } from "../api/operation";
import { ConfirmStop } from "./ConfirmStop";
import { InjectForm } from "./InjectForm";
import classes from "./Operation.module.css";

interface SimulationPanelProps {
  simulation: Simulation;
  /** Names and templates of the assets, by id. */
  assets: ReadonlyMap<string, { name: string; template: string }>;
}

/** The simulated plant: start, stop, break something, mend it. */
export function SimulationPanel({ simulation, assets }: SimulationPanelProps) {
  const order = useSimulationOrder();
  const mayRun = useMay("simulation.run");
  const [asking, setAsking] = useState(false);
  const { running, available, active, faults } = simulation;
  const titleOf = (fault: string): string => faults.find((f) => f.name === fault)?.title ?? fault;
  const power = running ? (
    <Button variant="default" leftSection={<IconStop size={13} />} onClick={() => setAsking(true)}>
      Stop simulation
    </Button>
  ) : (
    <Button leftSection={<IconPlay size={13} />} onClick={() => order.mutate({ verb: "start" })}>
      Start simulation
    </Button>
  );
  return (
    <Panel title="Simulated plant" flush actions={available && mayRun ? power : null}>
      {!available ? (
        <Empty title="This installation has no simulated plant">
          It comes with: forewarn demo
        </Empty>
      ) : (
        <div className={classes.simulation}>
          {order.error ? <ErrorPanel error={order.error} /> : null}
          {running && mayRun ? (
            <InjectForm
              simulation={simulation}
              assets={assets}
              busy={order.isPending}
              onInject={(fault) => order.mutate({ verb: "inject", fault })}
            />
          ) : (
            <p className="muted">{stillness(running, mayRun)}</p>
          )}
          <div>
            <h3 className={classes.subhead}>Active faults</h3>
            {active.length === 0 ? <p className="muted">None. Every simulated machine is healthy or wearing normally.</p> : null}
            <ul className={classes.faults}>
              {active.map(({ asset_id, fault, severity, since }) => (
                <li key={`${asset_id}/${fault}`}>
                  <StateMark name="advisory" compact />
                  <span>
                    <strong>{titleOf(fault)}</strong> on {assets.get(asset_id)?.name ?? asset_id}
                    <span className="muted num">
                      {" "}
                      at {Math.round(severity * 100)}% since {formatTime(since)}
                    </span>
                  </span>
                  {mayRun ? (
                    <Button variant="default" onClick={() => order.mutate({ verb: "clear", asset_id, fault })}>
                      Clear fault
                    </Button>
                  ) : null}
                </li>
              ))}
            </ul>
          </div>
        </div>
      )}
      <ConfirmStop
        opened={asking}
        onClose={() => setAsking(false)}
        onStop={() => {
          order.mutate({ verb: "stop" });
          setAsking(false);
        }}
      />
    </Panel>
  );
}

function stillness(running: boolean, mayRun: boolean): string {
  if (running) return "The simulated plant runs.";
  return mayRun ? "The simulated plant stands still. Start it to inject faults." : "The simulated plant stands still.";
}
