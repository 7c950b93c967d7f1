//! A team whose identity the stock age wrapped for its members.

use sealwax_tests::Cli;

use crate::common::{CHANGED, Person, age, age_key, run, ssh_key};

/// Makes `keys/ops.pub` and `keys/ops.age` for these members and a policy that names the team.
fn team(cli: &Cli, ops: &Person, members: &[&Person], flags: &[&str]) {
    cli.write("keys/ops.pub", format!("# the team\n{}\n", ops.recipient));
    let mut command = cli.command(age());
    command.args(flags).arg("-o").arg(cli.work().join("keys/ops.age"));
    for member in members {
        command.arg("-r").arg(&member.recipient);
    }
    run(command.arg(&ops.identity));
    let rule = "path = \"**\"\nencrypt = [\"**.password\"]\nrecipients = [\"ops\"]\ncontext = \"interop\"\n";
    cli.write(".sealwax.toml", format!("version = 1\n[recipients]\nops = {{ team = \"keys/ops\" }}\n[[rule]]\n{rule}"));
}

#[test]
fn members_read_through_it_and_others_do_not() {
    for flags in [&[][..], &["-a"]] {
        let cli = Cli::new();
        let (ops, alice, carol) = (age_key(&cli, "ops", &[]), age_key(&cli, "alice", &[]), age_key(&cli, "carol", &[]));
        let bob = ssh_key(&cli, "bob", &["-t", "ed25519"], "");
        team(&cli, &ops, &[&alice, &bob], flags);
        cli.write("values.yaml", CHANGED);
        cli.run(&["encrypt", "values.yaml"]).success();
        assert_eq!(cli.read("values.yaml").matches("ops@").count(), 1, "one reader stands for all members");
        for member in [&alice, &bob, &ops] {
            assert_eq!(cli.run(&["decrypt", "values.yaml", "-i", member.identity()]).success(), CHANGED);
        }
        cli.run(&["decrypt", "values.yaml", "-i", carol.identity()]).failure(1);

        // Joining touches one file.
        let sealed = cli.read("values.yaml");
        std::fs::remove_file(cli.work().join("keys/ops.age")).unwrap();
        team(&cli, &ops, &[&alice, &bob, &carol], flags);
        assert_eq!(cli.run(&["decrypt", "values.yaml", "-i", carol.identity()]).success(), CHANGED);
        assert_eq!(cli.read("values.yaml"), sealed);
    }
}

#[test]
fn a_post_quantum_team() {
    let cli = Cli::new();
    let (ops, alice) = (age_key(&cli, "ops", &["-pq"]), age_key(&cli, "alice", &["-pq"]));
    team(&cli, &ops, &[&alice], &[]);
    cli.write("values.yaml", CHANGED);
    cli.run(&["encrypt", "values.yaml"]).success();
    assert_eq!(cli.run(&["decrypt", "values.yaml", "-i", alice.identity()]).success(), CHANGED);
}
