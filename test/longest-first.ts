/**
 * The order of test files: those that start servers before those of parts, the long ones first. So no long one is left over at the end,
 * when the other core has nothing to do, and the files that share processes come one after the other.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // by the time that they took here before, or by their length
    const sorted = await super.sort(files);
    const isLast = ({ project }: TestSpecification) => project.name === 'parts';
    return [...sorted.filter((file) => !isLast(file)), ...sorted.filter(isLast)];
  }
}
