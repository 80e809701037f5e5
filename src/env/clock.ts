/** Time, behind a seam so that tests can stand in for it. */
export interface Clock {
  /** Unix time in milliseconds; may jump. */
  wallMs(): number;
  /** Milliseconds since some start; never goes back. */
  steadyMs(): number;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  steadyMs: () => performance.now(),
};
