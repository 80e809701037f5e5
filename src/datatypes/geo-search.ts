/**
 * Searching a geo set: a circle or a box is covered by a cell of the grid and its eight neighbours; each cell is a range of scores.
 *
 *   north_west  north  north_east        the order of visits: centre, north, south, east, west,
 *   west       centre  east                                   north_east, north_west, south_east, south_west
 *   south_west  south  south_east
 */
import {
  cellIndex,
  cellStart,
  cosine,
  degreesOf,
  distanceMeters,
  GeoPlace,
  interleave,
  latitudeDistanceMeters,
  MAX_LATITUDE,
  MAX_LONGITUDE,
  SCORE_STEP,
} from './geo-hash.ts';
import { ScoreRange } from './score-range.ts';

/** Half of the equator, in meters. */
const MERCATOR_MAX_METERS = 20037726.37;
/** Latitudes from which on cells are taken one and two steps larger. */
const HIGH_LATITUDE = 66;
const HIGHEST_LATITUDE = 80;

/** Steps east and north from the centre, in order of visits. */
const NEIGHBOURS: readonly (readonly [east: number, north: number])[] = [
  [0, 0],
  [0, 1],
  [0, -1],
  [1, 0],
  [-1, 0],
  [1, 1],
  [-1, 1],
  [1, -1],
  [-1, -1],
];

/** What is searched; one per thread, filled again for every command. */
export class GeoShape {
  longitude = 0;
  latitude = 0;
  isBox = false;
  /** In units of `meters` meters. */
  radius = 0;
  width = 0;
  height = 0;
  /** Meters of the unit. */
  meters = 1;
  /** Register of `contains`: meters from the centre. */
  distance = 0;
  readonly place = new GeoPlace();
  /** Ranges of scores to be looked at, in this order, after `cover`. */
  readonly ranges: ScoreRange[] = [];

  /** Is the place of this score inside? Fills `place` and, if so, `distance`. */
  contains(score: number): boolean {
    const { place, longitude, latitude, meters } = this;
    place.decode(score);
    if (this.isBox) {
      if (latitudeDistanceMeters(place.latitude, latitude) > (this.height * meters) / 2) return false;
      const across = distanceMeters(place.longitude, place.latitude, longitude, place.latitude);
      if (across > (this.width * meters) / 2) return false;
    }
    this.distance = distanceMeters(longitude, latitude, place.longitude, place.latitude);
    return this.isBox || this.distance <= this.radius * meters;
  }

  /** Fills `ranges`. */
  cover(): void {
    const { longitude, latitude, meters } = this;
    const halfHeight = (this.isBox ? this.height / 2 : this.radius) * meters;
    const halfWidth = (this.isBox ? this.width / 2 : this.radius) * meters;
    const up = degreesOf(halfHeight);
    // the edge nearer to a pole spans more degrees
    const aside = degreesOf(halfWidth) / cosine(latitude < 0 ? latitude - up : latitude + up);
    const reach = this.isBox ? Math.sqrt((this.width / 2) ** 2 + (this.height / 2) ** 2) : this.radius;
    const bounds = [longitude - aside, latitude - up, longitude + aside, latitude + up] as const;
    let step = estimateStep(reach * meters, latitude);
    if (step > 1 && !cellsReach(longitude, latitude, step, bounds)) step--;
    this.fillRanges(step, bounds);
  }

  private fillRanges(step: number, bounds: Bounds): void {
    const { longitude, latitude, ranges } = this;
    const east = cellIndex(longitude, MAX_LONGITUDE, step);
    const north = cellIndex(latitude, MAX_LATITUDE, step);
    const isFine = step >= 2;
    const skipsSouth = isFine && cellStart(north, MAX_LATITUDE, step) < bounds[1];
    const skipsNorth = isFine && cellStart(north + 1, MAX_LATITUDE, step) > bounds[3];
    const skipsWest = isFine && cellStart(east, MAX_LONGITUDE, step) < bounds[0];
    const skipsEast = isFine && cellStart(east + 1, MAX_LONGITUDE, step) > bounds[2];
    ranges.length = 0;
    let last = Number.NaN;
    NEIGHBOURS.forEach(([dx, dy], i) => {
      if ((dx < 0 && skipsWest) || (dx > 0 && skipsEast) || (dy < 0 && skipsSouth) || (dy > 0 && skipsNorth)) return;
      const cell = interleave(moved(north, dy, step), moved(east, dx, step));
      // the grid is a ring: neighbours of large cells may be one and the same
      if (cell === last) return;
      if (i > 0) last = cell;
      const range = new ScoreRange();
      const size = 4 ** (SCORE_STEP - step);
      range.min = cell * size;
      range.max = (cell + 1) * size;
      range.maxExcluded = true;
      ranges.push(range);
    });
  }
}

type Bounds = readonly [west: number, south: number, east: number, north: number];

function moved(index: number, by: number, step: number): number {
  return by === 0 ? index : (index + by) & (2 ** step - 1);
}

/** The finest step whose cells are so large that nine of them cover the circle, as a first guess. */
function estimateStep(meters: number, latitude: number): number {
  if (meters === 0) return SCORE_STEP;
  let step = 1;
  for (let range = meters; range < MERCATOR_MAX_METERS; range *= 2) step++;
  step -= 2;
  const height = Math.abs(latitude);
  if (height > HIGH_LATITUDE) step--;
  if (height > HIGHEST_LATITUDE) step--;
  return Math.min(SCORE_STEP, Math.max(1, step));
}

/** Do the neighbours of the cell in the middle reach to the bounds on all four sides? */
function cellsReach(longitude: number, latitude: number, step: number, bounds: Bounds): boolean {
  const east = cellIndex(longitude, MAX_LONGITUDE, step);
  const north = cellIndex(latitude, MAX_LATITUDE, step);
  const [westEnd, southEnd, eastEnd, northEnd] = bounds;
  return (
    cellStart(moved(north, 1, step) + 1, MAX_LATITUDE, step) >= northEnd &&
    cellStart(moved(north, -1, step), MAX_LATITUDE, step) <= southEnd &&
    cellStart(moved(east, 1, step) + 1, MAX_LONGITUDE, step) >= eastEnd &&
    cellStart(moved(east, -1, step), MAX_LONGITUDE, step) <= westEnd
  );
}
