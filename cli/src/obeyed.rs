//! Environment variables that make other programs run something: whoever can write a value would run it.
//!
//! A value needs no key to be written, so nobody may be able to say by one which programs the command runs. The list can
//! never be whole: files (`--as files`), or names with a prefix of one's own, need none.

/// Names of loaders, shells, interpreters, and of tools that call others.
const NAMES: [&str; 90] = [
    "AWS_CONFIG_FILE",
    "BASHOPTS",
    "BASH_ENV",
    "BROWSER",
    "BUNDLE_GEMFILE",
    "CARGO_HOME",
    "CDPATH",
    "CLASSPATH",
    "DOCKER_CONFIG",
    "DOTNET_STARTUP_HOOKS",
    "EDITOR",
    "FPATH",
    "GCONV_PATH",
    "GEM_HOME",
    "GEM_PATH",
    "GIT_ASKPASS",
    "GIT_DIR",
    "GIT_EDITOR",
    "GIT_EXEC_PATH",
    "GIT_EXTERNAL_DIFF",
    "GIT_PAGER",
    "GIT_PROXY_COMMAND",
    "GIT_SEQUENCE_EDITOR",
    "GIT_TEMPLATE_DIR",
    "GIT_WORK_TREE",
    "GLIBC_TUNABLES",
    "GOFLAGS",
    "GRADLE_OPTS",
    "HELM_PLUGINS",
    "HOME",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "KUBECONFIG",
    "LD_AUDIT",
    "LD_DEBUG_OUTPUT",
    "LD_LIBRARY_PATH",
    "LD_ORIGIN_PATH",
    "LD_PRELOAD",
    "LD_PROFILE_OUTPUT",
    "LESSCLOSE",
    "LESSOPEN",
    "LOCPATH",
    "LUA_CPATH",
    "LUA_INIT",
    "LUA_PATH",
    "MAKEFLAGS",
    "MANPAGER",
    "MAVEN_OPTS",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NPM_CONFIG_GLOBALCONFIG",
    "NPM_CONFIG_NODE_OPTIONS",
    "NPM_CONFIG_SCRIPT_SHELL",
    "NPM_CONFIG_USERCONFIG",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "OPENSSL_MODULES",
    "PAGER",
    "PATH",
    "PERL5DB",
    "PERL5LIB",
    "PERL5OPT",
    "PERLLIB",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "PROMPT_COMMAND",
    "PS4",
    "PYTHONBREAKPOINT",
    "PYTHONEXECUTABLE",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "RUBYLIB",
    "RUBYOPT",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "SHELL",
    "SHELLOPTS",
    "SOPS_EDITOR",
    "SSH_ASKPASS",
    "SUDO_ASKPASS",
    "TCLLIBPATH",
    "VISUAL",
    "XDG_CONFIG_HOME",
    "ZDOTDIR",
    "_JAVA_OPTIONS",
];

/// How the names of families of them start.
const PREFIXES: [&str; 4] = ["BASH_FUNC_", "DYLD_", "GIT_CONFIG", "GIT_SSH"];

/// Whether a variable of this name, with this value, decides what programs run.
pub(crate) fn is_obeyed(name: &str, value: &[u8]) -> bool {
    let name = name.to_ascii_uppercase();
    // Many programs are told by it where they are, `production`; an interactive shell runs the file that it names.
    if name == "ENV" {
        return value.iter().any(|byte| matches!(byte, b'/' | b'$' | b'`' | b'~'));
    }
    NAMES.contains(&name.as_str()) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_runs_programs_and_nothing_that_holds_a_password() {
        for name in [
            "LD_PRELOAD",
            "GIT_CONFIG_COUNT",
            "GIT_SSH",
            "PERL5DB",
            "PYTHONSTARTUP",
            "npm_config_script_shell",
            "LD_AUDIT",
        ] {
            assert!(is_obeyed(name, b"x"), "{name}");
        }
        for name in [
            "GIT_TOKEN",
            "NPM_TOKEN",
            "NODE_ENV",
            "RUBY_API_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "password",
            "SSH_KEY",
            "ENV",
            "LD_SDK_KEY",
            "PYTHONUNBUFFERED",
        ] {
            assert!(!is_obeyed(name, b"x"), "{name}");
        }
    }
}
