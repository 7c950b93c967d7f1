//! Builds the controller's image with buildah: an OCI archive that is the same, bit for bit, each time.

use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use super::{Report, ToolError, cache_dir, locked, release, workspace_root};

/// Where everything of the image is described.
const SOURCE: &str = "deploy/image";
/// The name that the image carries in its archive.
const NAME: &str = "sealwax-controller";

/// Builds the controller as it is released and puts the image into `archive`.
pub fn build_image(archive: &Path, report: Report<'_>) -> Result<(), ToolError> {
    let program = release::build_release("sealwax-controller", report)?;
    let roots = ca_roots(report)?;
    let scratch = Scratch::create()?;
    stage(&scratch.0.join("context"), &program, &roots)?;
    report("building the image");
    let storage = Storage(&scratch.0);
    let version = env!("CARGO_PKG_VERSION");
    let containerfile = workspace_root().join(SOURCE).join("Containerfile");
    let mut build = storage.buildah();
    // Nothing is run in the image, so nothing has to be isolated; `chroot` only asks for the fewest rights.
    build.args(["bud", "--quiet", "--isolation", "chroot", "--format", "oci", "--tag", NAME]);
    // What would tell one build, or one version of buildah, from another.
    build.args(["--timestamp", "0", "--omit-history", "--identity-label=false"]);
    build.arg("--build-arg").arg(format!("VERSION={version}"));
    build.arg("--file").arg(containerfile).arg(scratch.0.join("context"));
    run(&mut build)?;
    // buildah adds to an archive that is there.
    if archive.exists() {
        fs::remove_file(archive).map_err(ToolError::files(archive))?;
    }
    let mut target = std::ffi::OsString::from("oci-archive:");
    target.push(archive);
    target.push(format!(":{NAME}:{version}"));
    run(storage.buildah().args(["push", "--quiet", NAME]).arg(target))
}

/// The certificates of public authorities, out of the pinned Python wheel that carries them.
fn ca_roots(report: Report<'_>) -> Result<PathBuf, ToolError> {
    let requirements = workspace_root().join(SOURCE).join("ca-roots.txt");
    let pins = fs::read(&requirements).map_err(ToolError::files(&requirements))?;
    let dir = cache_dir("ca-roots", &[&pins])?;
    let roots = dir.join("wheel/certifi/cacert.pem");
    locked(&dir, || {
        if !roots.is_file() {
            report("fetching the certificates of public authorities");
            let mut download = Command::new("python3");
            download.args(["-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]);
            run(download.arg("--dest").arg(dir.join("download")).arg("--requirement").arg(&requirements))?;
            let unpacked = dir.join("unpacked");
            for wheel in fs::read_dir(dir.join("download")).map_err(ToolError::files(&dir))? {
                let wheel = wheel.map_err(ToolError::files(&dir))?.path();
                // A wheel is a zip file.
                run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&unpacked))?;
            }
            fs::rename(&unpacked, dir.join("wheel")).map_err(ToolError::files(&dir))?;
        }
        Ok(roots.clone())
    })
}

/// Lays out what the Containerfile copies, with fixed modes and times.
fn stage(context: &Path, program: &Path, roots: &Path) -> Result<(), ToolError> {
    let certificates = context.join("root/etc/ssl/certs");
    fs::create_dir_all(&certificates).map_err(ToolError::files(&certificates))?;
    let files = [
        (program, context.join("root/sealwax-controller"), 0o755),
        (roots, certificates.join("ca-certificates.crt"), 0o644),
    ];
    for (from, to, mode) in files {
        fs::copy(from, &to).map_err(ToolError::files(from))?;
        settle(&to, mode)?;
    }
    // Deepest first: a change below a directory changes its time.
    for dir in ["root/etc/ssl/certs", "root/etc/ssl", "root/etc", "root"] {
        settle(&context.join(dir), 0o755)?;
    }
    Ok(())
}

fn settle(path: &Path, mode: u32) -> Result<(), ToolError> {
    use std::os::unix::fs::PermissionsExt as _;
    let settled = fs::set_permissions(path, fs::Permissions::from_mode(mode)).and_then(|()| {
        let epoch = FileTimes::new().set_accessed(SystemTime::UNIX_EPOCH).set_modified(SystemTime::UNIX_EPOCH);
        File::open(path)?.set_times(epoch)
    });
    settled.map_err(ToolError::files(path))
}

/// A directory for one build, gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn create() -> Result<Self, ToolError> {
        let dir = std::env::temp_dir().join(format!("sealwax-image-{}", std::process::id()));
        fs::create_dir_all(&dir).map_err(ToolError::files(&dir))?;
        Ok(Self(dir))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A leftover directory harms nothing.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// buildah's storage for one build, so that nothing of an earlier one is taken.
struct Storage<'a>(&'a Path);

impl Storage<'_> {
    fn buildah(&self) -> Command {
        let mut command = Command::new("buildah");
        command.args(["--storage-driver", "vfs", "--root"]).arg(self.0.join("storage"));
        command.arg("--runroot").arg(self.0.join("run"));
        command
    }
}

fn run(command: &mut Command) -> Result<(), ToolError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.stdout(std::process::Stdio::null()).status().map_err(|source| ToolError::NotInstalled {
        program: program.clone(),
        advice: "install buildah and Python 3 with pip (Debian, Ubuntu: apt-get install --no-install-recommends \
                 buildah python3-pip)",
        source,
    })?;
    if status.success() { Ok(()) } else { Err(ToolError::BuildFailed { what: format!("`{program}`") }) }
}
