import type { GatewayBuffer } from "@/api/types";
import { bufferShare, bufferWords } from "../words";
import classes from "./Gateways.module.css";

const NEARLY_FULL = 0.9;

/** How full the gateway's disk budget is, and how long it lasts without the site. */
export function BufferBar({ buffer }: { buffer: GatewayBuffer }) {
  const share = bufferShare(buffer);
  const text = bufferWords(buffer);
  return (
    <div className={classes.buffer}>
      <div
        className={classes.bar}
        role="meter"
        aria-label="Buffer"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
        aria-valuetext={text}
      >
        <span
          className={classes.fill}
          data-full={share > NEARLY_FULL || undefined}
          style={{ width: `${(share * 100).toFixed(1)}%` }}
        />
      </div>
      <span className={classes.note}>{text}</span>
    </div>
  );
}
