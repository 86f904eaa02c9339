//! Cuts the power of a disk, as far as one machine can: the data lies on an image of its own, written without the
//! page cache of the host; under load the broker is stopped, the image is copied, and a second broker starts on the copy.
//!
//! The copy holds what had reached the image, and nothing that only lay in memory. What was confirmed must be there.
//! What this cannot show is said in docs/testing.md.

use crate::broker_process::BrokerProcess;
use crate::campaign::{self, Ledger, Load, Verdict};
use crate::kill9::{Scratch, epoch, print_verdict};
use crate::random::{self, Random};
use crate::shell::{self, Outcome, Profile};
use clap::Args;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// Large enough for some seconds of load, small enough to copy in a moment.
const IMAGE_BYTES: u64 = 512 * 1024 * 1024;
/// The load runs at least and at most so long before the cut. Milliseconds.
const CUT_AFTER_MS: (u64, u64) = (200, 1_500);

#[derive(Args)]
pub(crate) struct Options {
    /// How often the power is cut
    #[arg(long, default_value_t = 5)]
    cycles: u32,
    /// The same seed plays the same moments and choices
    #[arg(long)]
    seed: Option<u64>,
    /// Test the release build
    #[arg(long)]
    release: bool,
    /// Tests the test: the broker confirms without flushing, and the campaign passes only if it notices
    #[arg(long)]
    without_sync: bool,
}

/// What `--without-sync` makes of the broker.
const WITHOUT_SYNC: &str = "[journal]\nsync = \"may-lose-on-power-loss\"\n";

pub(crate) fn run(options: &Options) -> Outcome {
    if let Some(missing) = missing()? {
        println!("powercut: skipped: {missing}");
        return Ok(());
    }
    let binary = shell::broker_binary(if options.release { Profile::Release } else { Profile::Debug })?;
    let seed = random::seed(options.seed);
    println!("powercut: {} cycles, seed {seed}", options.cycles);
    let mut random = Random::new(seed);
    let mut all = Verdict::default();
    for number in 1..=options.cycles {
        let scratch = Scratch::new(None, &format!("powercut-{number}"))?;
        let more = if options.without_sync { WITHOUT_SYNC } else { "" };
        let verdict = cycle(&binary, scratch.path(), more, &mut random)?;
        if !verdict.is_clean() && !options.without_sync {
            scratch.keep();
            println!("powercut: cycle {number} broke a promise, the images are in {}", scratch.path().display());
        }
        all.add(verdict);
    }
    print_verdict("powercut", options.cycles, &all);
    match (all.is_clean(), options.without_sync) {
        (true, false) => Ok(()),
        (false, true) => {
            println!("powercut: noticed, as it should, that nothing was flushed");
            Ok(())
        }
        (false, false) => Err(format!("powercut: promises broken, seed {seed}").into()),
        (true, true) => Err(format!("powercut: blind, nothing was flushed and it did not notice, seed {seed}").into()),
    }
}

/// What this machine lacks; none if everything is there.
fn missing() -> Result<Option<String>, Box<dyn Error>> {
    if !shell::is_root()? {
        return Ok(Some("only root may mount an image".to_owned()));
    }
    let programs = ["losetup", "mkfs.ext4", "mount", "umount"];
    if let Some(program) = programs.iter().find(|program| !shell::on_path(program)) {
        return Ok(Some(format!("no {program} on the PATH")));
    }
    let scratch = Scratch::new(None, "powercut-probe")?;
    let image = Image::create(&scratch.path().join("probe.img"), 16 * 1024 * 1024)?;
    match image.mount(&scratch.path().join("probe")) {
        Ok(_mounted) => Ok(None),
        Err(error) => Ok(Some(format!("an image cannot be mounted here: {error}"))),
    }
}

fn cycle(binary: &Path, scratch: &Path, more: &str, random: &mut Random) -> Result<Verdict, Box<dyn Error>> {
    let ledger = Arc::new(Ledger::new());
    let image = Image::create(&scratch.join("disk.img"), IMAGE_BYTES)?;
    let copy = scratch.join("copy.img");
    {
        let disk = image.mount(&scratch.join("disk"))?;
        let mut broker = BrokerProcess::start_with(binary, &disk.folder.join("data"), scratch, more)?;
        let load = Load::start(epoch(1, &broker, &ledger), random)?;
        std::thread::sleep(Duration::from_millis(random.within(CUT_AFTER_MS.0, CUT_AFTER_MS.1)));
        load.ending();
        broker.signal("STOP")?;
        shell::read(Command::new("cp").arg("--sparse=always").args([&image.path, &copy]))?;
        broker.kill()?;
        load.join();
    }
    let copy = Image { path: copy };
    let disk = copy.mount(&scratch.join("copy"))?;
    let broker = BrokerProcess::start(binary, &disk.folder.join("data"), scratch)?;
    campaign::verdict(&epoch(2, &broker, &ledger))
}

/// A file with a file system in it.
struct Image {
    path: PathBuf,
}

impl Image {
    fn create(path: &Path, bytes: u64) -> Result<Self, Box<dyn Error>> {
        std::fs::File::create(path)?.set_len(bytes)?;
        shell::read(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(path))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Mounts it over a loop device that writes to the file without caching.
    fn mount(&self, folder: &Path) -> Result<Mounted, Box<dyn Error>> {
        std::fs::create_dir_all(folder)?;
        let mut setup = Command::new("losetup");
        setup.args(["--find", "--show", "--direct-io=on"]).arg(&self.path);
        let device = shell::read(&mut setup)?.trim().to_owned();
        let mut mounted = Mounted { device, folder: folder.to_owned(), is_mounted: false };
        shell::read(Command::new("mount").arg(&mounted.device).arg(folder))?;
        mounted.is_mounted = true;
        Ok(mounted)
    }
}

/// A mounted image; dropped, it is unmounted and its device let go.
struct Mounted {
    device: String,
    folder: PathBuf,
    is_mounted: bool,
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.is_mounted
            && let Err(error) = shell::read(Command::new("umount").arg(&self.folder))
        {
            eprintln!("xtask: {error}");
        }
        if let Err(error) = shell::read(Command::new("losetup").args(["--detach", &self.device])) {
            eprintln!("xtask: {error}");
        }
    }
}
