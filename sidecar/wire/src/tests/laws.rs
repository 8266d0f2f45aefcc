//! What holds for all bytes and all pairs of configurations.

use super::*;

fn world() -> impl Strategy<Value = World> {
    (0..2_u64, prop::array::uniform5(0..3_u64)).prop_map(
        |(epoch, [policies, cluster_policies, servers, namespace, pod])| World {
            epoch,
            policies,
            cluster_policies,
            servers,
            namespace,
            pod,
        },
    )
}

fn origin() -> impl Strategy<Value = Origin> {
    (0..4_u8, world(), prop::collection::btree_map("[abc]", 0..3_i64, 0..3)).prop_map(
        |(content, world, generations)| {
            let generations = generations.into_iter().map(|(uid, generation)| (Uid::from(&*uid), generation)).collect();
            Origin { hash: Hash::of(&[content]), world, generations }
        },
    )
}

/// Whether nothing of one is less than of the other.
fn is_at_least(one: &Origin, other: &Origin) -> bool {
    let parts = |world: &World| [world.policies, world.cluster_policies, world.servers, world.namespace, world.pod];
    let world = parts(&one.world).iter().zip(parts(&other.world)).all(|(one, other)| *one >= other);
    let known = |(uid, generation): (&Uid, &i64)| one.generations.get(uid).is_none_or(|own| own >= generation);
    world && other.generations.iter().all(known)
}

proptest! {
    #[test]
    fn lines_do_not_depend_on_how_bytes_arrive(
        bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'{'), any::<u8>()], 0..200),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        most in 1..40_usize,
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
        let (found, outcome) = split(most, &pieces);
        prop_assert_eq!((&found, &outcome), (&split(most, &[&bytes]).0, &split(most, &[&bytes]).1));

        let lines = bytes.split(|byte| *byte == b'\n');
        let fits = lines.clone().all(|line| line.len() <= most);
        prop_assert_eq!(outcome.is_ok(), fits);
        if fits {
            // What stands behind the last end of a line is none yet.
            let whole = lines.clone().take(lines.count() - 1).filter(|line| !line.is_empty());
            prop_assert!(found.iter().map(|line| &line[..]).eq(whole));
        }
    }

    #[test]
    fn a_message_reads_back_from_its_line(ping in any::<u64>(), text in ".{0,40}") {
        let line = lines::write(&ToSidecar::Ping(ping)).unwrap();
        prop_assert!(matches!(lines::read(&line).unwrap(), ToSidecar::Ping(read) if read == ping));
        let line = lines::write(&ToSidecar::Trust(crate::message::Trust { bundle: text.clone() })).unwrap();
        // Whatever a message holds, it is one line.
        prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        prop_assert!(matches!(lines::read(&line).unwrap(), ToSidecar::Trust(read) if read.bundle == text));
    }

    #[test]
    fn arbitrary_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = lines::read::<FromSidecar>(&bytes);
        let _ = lines::read::<ToSidecar>(&bytes);
        let _ = Document::decode(&bytes, &Hash::of(&bytes));
    }

    #[test]
    fn nothing_that_is_older_in_any_part_is_taken(runs in origin(), offered in origin()) {
        match judge(Some(&runs), &offered) {
            Judgement::Same => prop_assert_eq!(runs.hash, offered.hash),
            Judgement::Newer => prop_assert!(
                offered.world.epoch > runs.world.epoch
                    || (offered.world.epoch == runs.world.epoch && is_at_least(&offered, &runs))
            ),
            Judgement::Older(kinds) => {
                prop_assert!(!kinds.is_empty() && !kinds.contains(&Kind::Other));
                prop_assert!(offered.world.epoch < runs.world.epoch || !is_at_least(&offered, &runs));
            }
        }
    }

    #[test]
    fn of_two_that_differ_at_most_one_replaces_the_other_unless_they_saw_the_same(one in origin(), other in origin()) {
        let takes = |runs: &Origin, offered: &Origin| judge(Some(runs), offered) == Judgement::Newer;
        if takes(&one, &other) && takes(&other, &one) {
            prop_assert_eq!(one.world, other.world);
        }
        prop_assert_eq!(judge(None, &one), Judgement::Newer);
        prop_assert_eq!(judge(Some(&one), &one), Judgement::Same);
    }

    #[test]
    fn no_sequence_of_offers_leads_back(first in origin(), offers in prop::collection::vec(origin(), 0..12)) {
        let mut running = first;
        let mut seen = running.world;
        for offered in offers {
            match judge(Some(&running), &offered) {
                Judgement::Newer => running = offered,
                Judgement::Same => running.world = running.world.together(&offered.world),
                Judgement::Older(_) => continue,
            }
            // What ever was seen stays seen.
            prop_assert_eq!(running.world.together(&seen), running.world);
            seen = running.world;
        }
    }

    #[test]
    fn what_two_have_seen_together_does_not_depend_on_their_order(one in world(), other in world()) {
        prop_assert_eq!(one.together(&other), other.together(&one));
        prop_assert_eq!(one.together(&one), one);
    }
}
