/**
 * The file system for work under latches: while a call takes its time, its thread counts as working, not as hanging
 * (native-free-shm/heartbeats.ts).
 */
import { asleep } from '../../native-free-shm/heartbeats.ts';
import { type Files, systemFiles } from '../env/files.ts';

export const patientFiles: Files = {
  ...systemFiles,
  readAt: (fd, buf, offset, length, position) => asleep(() => systemFiles.readAt(fd, buf, offset, length, position)),
  writeAt: (fd, buf, offset, length, position) => asleep(() => systemFiles.writeAt(fd, buf, offset, length, position)),
  writePartsAt: (fd, parts, position) => asleep(() => systemFiles.writePartsAt(fd, parts, position)),
  truncate: (fd, bytes) => asleep(() => systemFiles.truncate(fd, bytes)),
  syncData: (fd) => asleep(() => systemFiles.syncData(fd)),
  syncFolder: (path) => asleep(() => systemFiles.syncFolder(path)),
  removeFolder: (path) => asleep(() => systemFiles.removeFolder(path)),
};
