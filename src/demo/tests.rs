//! The builtin scenario, and what the parts of it are for.

use super::Simulation;

#[tokio::test]
async fn the_builtin_scenario_loads_quickly() {
    for _ in 0..5 {
        let begun = std::time::Instant::now();
        let simulation = Simulation::builtin();
        println!("{:?}", begun.elapsed());
        let begun = std::time::Instant::now();
        assert!(!simulation.objects("Pod", "").is_empty());
        println!(" {:?}", begun.elapsed());
    }
}
