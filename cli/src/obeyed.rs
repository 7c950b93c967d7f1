//! Environment variables that make other programs run something: whoever can write a value would run it.
//!
//! A value needs no key to be written, so nobody may be able to say by one which programs the command runs. The list can
//! never be whole: files (`--as files`), or names with a prefix of one's own, need none.

/// Names of loaders, shells, interpreters, and of tools that call others.
const NAMES: [&str; 61] = [
    "BASHOPTS",
    "BASH_ENV",
    "BROWSER",
    "BUNDLE_GEMFILE",
    "CDPATH",
    "CLASSPATH",
    "EDITOR",
    "ENV",
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
    "HELM_PLUGINS",
    "HOME",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "KUBECONFIG",
    "LESSCLOSE",
    "LESSOPEN",
    "LOCPATH",
    "LUA_CPATH",
    "LUA_INIT",
    "LUA_PATH",
    "MANPAGER",
    "NODE_OPTIONS",
    "NODE_PATH",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "OPENSSL_MODULES",
    "PAGER",
    "PATH",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "PROMPT_COMMAND",
    "PS4",
    "RUBYLIB",
    "RUBYOPT",
    "RUSTC_WRAPPER",
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
const PREFIXES: [&str; 8] = ["BASH_FUNC_", "DYLD_", "GIT_CONFIG", "GIT_SSH", "LD_", "NPM_CONFIG_", "PERL", "PYTHON"];

/// Whether a variable of this name decides what programs run.
pub(crate) fn is_obeyed(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    NAMES.contains(&name.as_str()) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_runs_programs_and_nothing_that_holds_a_password() {
        for name in ["LD_PRELOAD", "GIT_CONFIG_COUNT", "GIT_SSH", "PERL5DB", "PYTHONSTARTUP", "npm_config_script_shell"]
        {
            assert!(is_obeyed(name), "{name}");
        }
        for name in
            ["GIT_TOKEN", "NPM_TOKEN", "NODE_ENV", "RUBY_API_KEY", "AWS_SECRET_ACCESS_KEY", "password", "SSH_KEY"]
        {
            assert!(!is_obeyed(name), "{name}");
        }
    }
}
