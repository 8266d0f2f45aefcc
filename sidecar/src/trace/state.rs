//! What tracing systems have added to a trace, each in its own words: the `tracestate` of W3C Trace Context.

use http::{HeaderMap, HeaderValue};

use super::context::TRACESTATE;

/// The most members of a list; one with more is none.
const MOST_MEMBERS: usize = 32;

/// The longest list that is kept. The specification asks for this much.
const LONGEST: usize = 512;

/// The longest member that is kept in a list that is too long.
const LONGEST_OF_TOO_LONG: usize = 128;

/// The longest key, and the longest value.
const LONGEST_PART: usize = 256;

/// One list of what tracing systems say: bounded, and of characters that a header can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State(Box<str>);

impl State {
    /// Reads lists as one, in their order: whose system touched the trace last stands first. None if they have no member, too many,
    /// or one that is not `key=value`: as the specification asks, the whole is then given up. Of a list that is too long members
    /// are left out, as it asks too: first those that are long by themselves, then the last ones.
    pub fn read<'l>(lists: impl Iterator<Item = &'l str>) -> Option<Self> {
        let members = lists.flat_map(|list| list.split(',')).map(|member| member.trim_matches([' ', '\t']));
        let members = members.filter(|member| !member.is_empty()).take(MOST_MEMBERS + 1);
        let mut members: Vec<&str> = members.collect();
        if members.len() > MOST_MEMBERS || !members.iter().all(|member| is_member(member)) {
            return None;
        }
        if len(&members) > LONGEST {
            members.retain(|member| member.len() <= LONGEST_OF_TOO_LONG);
        }
        while len(&members) > LONGEST {
            members.pop();
        }
        (!members.is_empty()).then(|| Self(members.join(",").into()))
    }

    /// What the headers of a request say, in however many of them.
    pub(super) fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let lists: Result<Vec<&str>, _> = headers.get_all(TRACESTATE).iter().map(HeaderValue::to_str).collect();
        Self::read(lists.ok()?.into_iter())
    }

    /// The list.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of the header.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

/// How long these are as one list.
fn len(members: &[&str]) -> usize {
    members.iter().map(|member| member.len() + 1).sum::<usize>().saturating_sub(1)
}

fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else { return false };
    let of_key = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
    let of_value = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
    let fits = |part: &str| (1..=LONGEST_PART).contains(&part.len());
    fits(key) && fits(value) && key.bytes().all(of_key) && value.bytes().all(of_value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(lists: &[&str]) -> Option<String> {
        State::read(lists.iter().copied()).map(|state| state.as_str().to_owned())
    }

    #[test]
    fn several_lists_are_one_in_their_order() {
        assert_eq!(read(&["a=1,b=2", " c=3\t,, d@e=4 ", ""]).unwrap(), "a=1,b=2,c=3,d@e=4");
        let mut headers = HeaderMap::new();
        assert_eq!(State::of_headers(&headers), None);
        for list in ["a=1", "b=2"] {
            headers.append(TRACESTATE, HeaderValue::from_static(list));
        }
        assert_eq!(State::of_headers(&headers).unwrap().header().unwrap(), "a=1,b=2");
        headers.append(TRACESTATE, HeaderValue::from_bytes("ä=1".as_bytes()).unwrap());
        assert_eq!(State::of_headers(&headers), None);
    }

    #[test]
    fn a_list_with_too_many_members_or_one_that_is_none_is_given_up_whole() {
        let members = |count: usize| (0..count).map(|at| format!("k{at}=v")).collect::<Vec<_>>().join(",");
        assert_eq!(read(&[&members(32)]), Some(members(32)));
        assert_eq!(read(&[&members(32), "k=v"]), None);
        let long = "k".repeat(257);
        let wrong = [
            "",
            ",",
            "a",
            "=1",
            "a=",
            "A=1",
            "a =1",
            "a=b=c",
            "a=ä",
            "a=\u{1}",
            &format!("{long}=1"),
            &format!("a={long}"),
        ];
        for wrong in wrong {
            assert_eq!(read(&[wrong]), None, "{wrong}");
        }
    }

    #[test]
    fn of_a_list_that_is_too_long_long_members_are_left_out_first_and_then_the_last() {
        let long = |key: &str, len: usize| format!("{key}={}", "v".repeat(len - 2));
        let short = [long("b", 120), long("c", 120), long("d", 120), long("e", 120)].join(",");
        assert_eq!(read(&[&long("a", 200), &short]), Some(short.clone()));
        assert_eq!(
            read(&[&short, "f=1,g=2,h=3,i=4,j=5,k=6,l=7,m=8"]).unwrap(),
            format!("{short},f=1,g=2,h=3,i=4,j=5,k=6,l=7")
        );
    }

    proptest! {
        #[test]
        fn what_is_read_is_bounded_reads_the_same_and_can_be_a_header(lists in prop::collection::vec("([a-c]=[ -~]{0,300},? ?){0,6}|.*", 0..5)) {
            if let Some(state) = State::read(lists.iter().map(String::as_str)) {
                prop_assert!(state.as_str().len() <= LONGEST && state.as_str().split(',').count() <= MOST_MEMBERS);
                prop_assert!(state.header().is_some());
                prop_assert_eq!(State::read([state.as_str()].into_iter()), Some(state.clone()));
            }
        }
    }
}
