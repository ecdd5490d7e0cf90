//! What cannot be secured yet is refused with its reason, and nothing is written. When the program learns it, this
//! cell fails, and its place in the matrix is due.

use crate::program::Program;
use crate::report::{Checks, Stop};
use crate::shell::get;

pub const NAME: &str = "gateway-api";
const NAMESPACE: &str = "gwapi";

pub fn run(checks: &mut Checks) -> Result<(), Stop> {
    let gateway = format!("{NAMESPACE}/gateway-istio");
    let choices = [
        "-g",
        &gateway,
        "--prometheus",
        "istio-system/Deployment/prometheus",
    ];
    let choices = choices.map(str::to_owned);
    let mut program = None;
    checks.must("the gateway stands", || {
        program = Some(Program::of_administrator(NAME, &choices)?);
        get(&["-n", NAMESPACE, "deployments/gateway-istio"]).map(|_| gateway.clone())
    })?;
    for (name, words) in [
        ("plan is refused with the reason", &["plan"][..]),
        (
            "apply is refused with the reason",
            &["apply", "--yes", "--lose-history"],
        ),
    ] {
        checks.add(name, || {
            let told = program.as_ref().map(|program| program.refused(words));
            let (code, text) = told.ok_or("no program")??;
            match code == 1 && text.contains("Gateway of the Gateway API") {
                true => Ok(text),
                false => Err(format!("exit {code}\n{text}")),
            }
        });
    }
    checks.add("nothing of ours is there", || {
        let ours = get(&[
            "-n",
            NAMESPACE,
            "gateways.networking.istio.io,serviceentries,virtualservices,peerauthentications",
        ])?;
        match ours["items"].as_array().is_none_or(Vec::is_empty) {
            true => Ok("none".into()),
            false => Err(ours.to_string()),
        }
    });
    Ok(())
}
