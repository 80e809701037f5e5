/**
 * A disk whose power can be cut: an ext4 file system in a file, mounted through a loop device, shut down by the kernel without writing its
 * journal. What was not synced is gone afterwards, names and renames included. Needs root, mount, mkfs.ext4 and perl. And a disk that the
 * kernel makes read-only, as it does after an error, though files are open for writing.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { waitUntil } from '../server/wait-until.ts';

/** EXT4_IOC_SHUTDOWN with the flag "do not flush the log". */
const CUT_POWER = 'open(my $d, "<", $ARGV[0]) or die; my $flag = pack("L", 2); ioctl($d, 0x8004587d, $flag) // die $!';

const run = (program: string, ...args: string[]): void => void execFileSync(program, args, { stdio: 'pipe' });

export class LoopDisk {
  /** Where it is mounted. */
  readonly folder: string;
  private readonly home: string;
  private readonly image: string;

  constructor(megabytes: number) {
    this.home = mkdtempSync(join(tmpdir(), 'skein-disk-'));
    this.folder = join(this.home, 'mounted');
    this.image = join(this.home, 'image');
    mkdirSync(this.folder);
    run('truncate', '-s', `${megabytes}M`, this.image);
    run('mkfs.ext4', '-q', this.image);
    this.mount();
  }

  private mount(): void {
    run('mount', '-o', 'loop,errors=remount-ro', this.image, this.folder);
  }

  /** The power goes. Every call of the system for a file of this disk fails from now on. */
  cutPower(): void {
    run('perl', '-e', CUT_POWER, this.folder);
  }

  /** ext4 is told that it has met an error, and takes no more writes. Until it is mounted anew. */
  becomeReadOnly(): void {
    const device = execFileSync('findmnt', ['-n', '-o', 'SOURCE', this.folder], { encoding: 'utf8' }).trim();
    writeFileSync(`/sys/fs/ext4/${basename(device)}/trigger_fs_error`, '1');
  }

  /** The power is back; whoever had files open must be gone. */
  async restore(): Promise<void> {
    await this.unmount();
    this.mount();
  }

  private async unmount(): Promise<void> {
    await waitUntil('the disk is free', () => spawnSync('umount', [this.folder]).status === 0);
  }

  async remove(): Promise<void> {
    await this.unmount();
    rmSync(this.home, { recursive: true, force: true });
  }
}

/** Does the system let us make a disk that becomes read-only? Tries it. */
export const canMakeReadOnly = (): Promise<boolean> => canMake((disk) => disk.becomeReadOnly());

/** Does the system let us make one whose power can be cut? Tries it. */
export const canMakeDisks = (): Promise<boolean> => canMake((disk) => disk.cutPower());

async function canMake(use: (disk: LoopDisk) => void): Promise<boolean> {
  try {
    const disk = new LoopDisk(8);
    use(disk);
    await disk.remove();
    return true;
  } catch {
    return false;
  }
}
